# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Turns the landmark armature by one bone, as the backend turns a head (`shared/head.py`).

The bone begins at the point that the head turns about and points down the face, by the distance of the eyes. So its own
axes are those of poses: x right and y down in the picture, z away from the viewer. Its `rotation_euler` is pitch, yaw
and roll, its `location` how far the head is moved right and down, in metres, and its `scale` how near it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .._shared import head, landmarks
from ..coordinates import CropPlane
from ..keys import key_memory, key_places
from ..keys.key_requests import Curve
from ..slices import Slices

NAME = "head"
MODE = "YXZ"  # the yaw first, the roll last, as `head.rotations`
_PATH = f'pose.bones["{NAME}"]'
_CURVES = (
    *((f"{_PATH}.rotation_euler", index) for index in range(3)),
    *((f"{_PATH}.location", index) for index in range(2)),
    *((f"{_PATH}.scale", index) for index in range(3)),
)
_SHAPE_NAME = "Speech Face Head"
_COLOUR = (0.9, 0.9, 0.9)
_RING = 1.9  # distances of the eyes: around the face
_CORNERS = 48
_FITS = 1e-4  # distances of the eyes
_BLOCK = 1000  # frames in a slice


@dataclass(frozen=True)
class HeadRest:
    """How a head rests, in metres of the armature's space.

    Attributes:
        pivot: (3,) where the bone begins.
        down: (3,) from there to its end.
        depths: (68,) y of the landmarks' bones.
    """

    pivot: NDArray[np.float64]
    down: NDArray[np.float64]
    depths: NDArray[np.float64]

    @classmethod
    def of(cls, neutral: NDArray[np.floating], square: CropPlane) -> HeadRest:
        """That of a face at rest, (68, 2) pixels of the crop."""
        axes = head.HeadAxes.of(neutral)
        unit = axes.eye_distance * square.metres_per_pixel
        (x, z), (tail_x, tail_z) = square.to_metres(np.stack([axes.pivot, axes.pivot + axes.down]))
        pivot, down = np.array([x, head.PIVOT_DEPTH * unit, z]), np.array([tail_x - x, 0.0, tail_z - z])
        return cls(pivot, down, np.array(head.DEPTHS) * unit)

    def fits(self, rig: bpy.types.Object) -> bool:
        """Whether the bones of an armature rest so."""
        bone, rest = rig.data.bones[NAME], _rest_of(rig)
        unit = float(np.linalg.norm(self.down))
        away = np.array(bone.matrix_local)[:3, 2]
        there = np.array([*bone.head_local, *bone.tail_local, *(away * unit), *rest[:, 1]])
        wanted = np.array([*self.pivot, *(self.pivot + self.down), 0.0, unit, 0.0, *self.depths])
        return bool(np.abs(there - wanted).max() < _FITS * unit)


def add(bones: bpy.types.ArmatureEditBones, rest: HeadRest) -> bpy.types.EditBone:
    """Makes the bone in edit mode."""
    bone = bones.new(NAME)
    bone.head, bone.tail = rest.pivot, rest.pivot + rest.down
    bone.align_roll((0.0, 1.0, 0.0))
    return bone


def show(rig: bpy.types.Object) -> None:
    """Gives the bone its collection, colour, shape and order of rotation."""
    bone, posed = rig.data.bones[NAME], rig.pose.bones[NAME]
    rig.data.collections.new("Head").assign(bone)
    bone.color.palette = "CUSTOM"
    bone.color.custom.normal = _COLOUR
    bone.color.custom.select = bone.color.custom.active = (1.0, 1.0, 1.0)
    posed.custom_shape = bpy.data.objects.get(_SHAPE_NAME) or _make_shape()
    posed.rotation_mode = MODE


def has_bone(rig: bpy.types.Object) -> bool:
    """Whether an armature has this bone, and all landmarks hang on it; an artist's own may lack it."""
    bone = rig.pose.bones.get(NAME)
    if bone is None or bone.rotation_mode != MODE:
        return False
    return all(rig.pose.bones[name].parent == bone for name in landmarks.NAMES)


def is_turned(rig: bpy.types.Object, besides: str) -> bool:
    """Whether a bake of another name turns the bone."""
    rest = dict(zip(_CURVES, values(np.zeros((1, len(head.POSE))), 1.0)[0], strict=True))
    bakes = [each for place in key_places.places(rig) for each in key_memory.remembered(place.action).items()]
    others = [bake.values for name, bake in bakes if name != besides]
    return any((moved[path] != rest[path]).any() for moved in others for path in _CURVES if path in moved)


def curves() -> list[Curve]:
    """The eight animated numbers of the bone: pitch, yaw, roll; right, down; the size thrice."""
    return [Curve(path, index, NAME) for path, index in _CURVES]


def values(poses: NDArray[np.floating], unit: float) -> NDArray[np.float64]:
    """What `curves` are in poses (T, 6) as `head.POSE`, (T, 8).

    Args:
        poses: of the head.
        unit: metres between the eyes.
    """
    yaw, pitch, roll, right, down, nearer = np.asarray(poses, np.float64).T
    size = np.exp(nearer)
    return np.stack([pitch, yaw, roll, right * unit, down * unit, size, size, size], axis=1)


def still_steps(
    rig: bpy.types.Object, seen: NDArray[np.floating], poses: NDArray[np.floating], unit: float
) -> Slices[NDArray[np.float64]]:
    """Where landmarks must be before the bone is posed, so that they are seen somewhere after it.

    For armatures that were made for another face: their axes and depths differ from those with which the head was
    turned. The armature is looked at before the first slice alone.

    Args:
        rig: the armature.
        seen: (T, 68, 2) metres of its space, x right and z up.
        poses: (T, 6).
        unit: metres between the eyes.

    Returns:
        (T, 68, 2), as `seen`.
    """
    depths, bone = _rest_of(rig)[:, 1], np.array(rig.data.bones[NAME].matrix_local, np.float64)
    found = np.empty(seen.shape, np.float64)
    for start in range(0, len(seen), _BLOCK):
        part = slice(start, start + _BLOCK)
        matrices = _matrices(bone, poses[part], unit)
        plane = matrices[:, (0, 2)]  # of the picture: what x, y, z and the bone's own move each add to it
        offset = plane[:, None, :, 3] + depths[:, None] * plane[:, None, :, 1]
        backwards = np.linalg.inv(plane[:, :, (0, 2)]).transpose(0, 2, 1)
        found[part] = (seen[part] - offset) @ backwards
        yield start / len(seen)
    return found


def _rest_of(rig: bpy.types.Object) -> NDArray[np.float64]:
    """Where the landmarks' bones rest, (68, 3) metres of the armature's space."""
    return np.array([rig.data.bones[name].head_local for name in landmarks.NAMES], np.float64)


def _matrices(bone: NDArray[np.float64], poses: NDArray[np.floating], unit: float) -> NDArray[np.float64]:
    """What the bone does to points of the armature's space, (T, 4, 4); `bone` is its rest, (4, 4)."""
    posed = np.zeros((len(poses), 4, 4))
    moved = values(poses, unit)
    posed[:, :3, :3] = head.rotations(poses) * moved[:, 5, None, None]
    posed[:, :2, 3], posed[:, 3, 3] = moved[:, 3:5], 1.0
    return bone @ posed @ np.linalg.inv(bone)


def _make_shape() -> bpy.types.Object:
    """A ring around the face, with a line that shows where it looks."""
    turns = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns), np.zeros(_CORNERS)], axis=1) * _RING
    edges = [(corner, (corner + 1) % _CORNERS) for corner in range(_CORNERS)]
    mesh = bpy.data.meshes.new(_SHAPE_NAME)
    mesh.from_pydata([*ring.tolist(), (0, 0, 0), (0, 0, -_RING)], [*edges, (_CORNERS, _CORNERS + 1)], [])
    return bpy.data.objects.new(_SHAPE_NAME, mesh)
