# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Makes an armature of the 68 landmarks that artists can pose, constrain and export.

It has one bone per landmark. A bone points along +Z with roll 0, so its local x is the object's x and its
local y the object's z: a landmark's displacement (dx, dz) in metres is the bone's `location = (dx, dz, 0)`.
Each rests as deep as it lies in a head, all hang on the bone of `head_bone`, and so they turn as a head does.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from .._shared import errors, landmarks
from ..coordinates import CropPlane
from ..keys.keyframes import Curve
from . import head_bone

AXES = (0, 1)  # of a bone's location: the object's x and z
_BONE_LENGTH = 0.016  # of the picture's width
_SHAPE_NAME = "Speech Face Point"
_COLOURS = {
    "jaw": (0.95, 0.75, 0.25),
    "right_brow": (0.45, 0.6, 1.0),
    "left_brow": (0.45, 0.6, 1.0),
    "nose_bridge": (0.45, 0.85, 0.35),
    "nose_base": (0.45, 0.85, 0.35),
    "right_eye": (0.3, 0.85, 0.9),
    "left_eye": (0.3, 0.85, 0.9),
    "outer_lips": (0.95, 0.3, 0.3),
    "inner_lips": (1.0, 0.55, 0.7),
}


def create_rig(
    context: bpy.types.Context, scene: bpy.types.Scene, name: str, neutral: NDArray, square: CropPlane
) -> bpy.types.Object:
    """Makes the armature; the active object, the selection and the mode do not change.

    Args:
        context: Blender's context.
        scene: gets the armature; it need not be the active one.
        name: of the object and its armature.
        neutral: the face at rest, (68, 2) pixels of the crop.
        square: on which the picture lies; the bones take their size from it.

    Raises:
        SpeechFaceError: the object in edit mode cannot be left, or both eyes are at one point.
    """
    rest = head_bone.HeadRest.of(neutral, square)
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    rig.show_in_front = True
    active_scene = context.scene  # edit mode exists there only
    active_scene.collection.objects.link(rig)
    _in_edit_mode(context, rig, square.to_metres(neutral), rest, square.width * _BONE_LENGTH)
    if scene != active_scene:
        scene.collection.objects.link(rig)
        active_scene.collection.objects.unlink(rig)
    _make_collections(armature)
    _shape_bones(rig)
    head_bone.show(rig)
    return rig


def is_rig(candidate: bpy.types.Object | None) -> bool:
    """Whether an object is an armature that has a bone for every landmark."""
    if candidate is None or candidate.type != "ARMATURE":
        return False
    bones = candidate.data.bones
    return all(name in bones for name in landmarks.NAMES)


def rest_positions(rig: bpy.types.Object) -> NDArray[np.float64]:
    """Rest positions (68, 2) of the landmark bones in metres of the rig's own space, x and z."""
    heads = np.array([rig.data.bones[name].head_local for name in landmarks.NAMES])
    return heads[:, (0, 2)]


def posed(scene: bpy.types.Scene, rig: bpy.types.Object) -> NDArray[np.float64]:
    """Where the landmark bones are on the scene's frame (68, 2), with all that moves them; as `rest_positions`."""
    bones = compat.evaluated(scene, rig).pose.bones
    return np.array([bones[name].head for name in landmarks.NAMES])[:, (0, 2)]


def data_path(name: str) -> str:
    """The animated property of a landmark's bone."""
    return f'pose.bones["{name}"].location'


def curves() -> list[Curve]:
    """The 136 animated numbers of the rig: two axes of each landmark's bone."""
    return [Curve(data_path(name), axis, name) for name in landmarks.NAMES for axis in AXES]


def _in_edit_mode(
    context: bpy.types.Context, rig: bpy.types.Object, places: NDArray, rest: head_bone.HeadRest, length: float
) -> None:
    layer = context.view_layer
    active, selected = layer.objects.active, [o for o in layer.objects if o.select_get(view_layer=layer)]
    mode = active.mode if active is not None else "OBJECT"
    try:
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = rig
        bpy.ops.object.mode_set(mode="EDIT")
        parent = head_bone.add(rig.data.edit_bones, rest)
        for name, (x, z), y in zip(landmarks.NAMES, places, rest.depths, strict=True):
            bone = rig.data.edit_bones.new(name)
            bone.head, bone.tail, bone.roll = (x, y, z), (x, y, z + length), 0
            bone.parent = parent
        bpy.ops.object.mode_set(mode="OBJECT")
    except RuntimeError as error:
        bpy.data.objects.remove(rig)
        raise errors.SpeechFaceError(
            "the landmark armature cannot be made while another object is being edited; switch to Object Mode",
            detail=str(error),
        ) from error
    for item in selected:
        item.select_set(True, view_layer=layer)
    rig.select_set(rig in selected, view_layer=layer)
    layer.objects.active = active
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode=mode)


def _make_collections(armature: bpy.types.Armature) -> None:
    for segment in landmarks.SEGMENTS:
        collection = armature.collections.new(segment.name.replace("_", " ").title())
        for index in segment.points:
            bone = armature.bones[landmarks.NAMES[index]]
            collection.assign(bone)
            bone.color.palette = "CUSTOM"
            bone.color.custom.normal = _COLOURS[segment.name]
            bone.color.custom.select = bone.color.custom.active = (1.0, 1.0, 1.0)


def _shape_bones(rig: bpy.types.Object) -> None:
    shape = bpy.data.objects.get(_SHAPE_NAME) or _make_point_shape()
    for name in landmarks.NAMES:
        bone = rig.pose.bones[name]
        bone.custom_shape = shape
        bone.rotation_mode = "XYZ"


def _make_point_shape() -> bpy.types.Object:
    mesh = bpy.data.meshes.new(_SHAPE_NAME)
    size = 0.5
    tips = [(size, 0, 0), (-size, 0, 0), (0, size, 0), (0, -size, 0), (0, 0, size), (0, 0, -size)]
    faces = [(a, b, c) for a in (0, 1) for b in (2, 3) for c in (4, 5)]
    mesh.from_pydata(tips, [], faces)
    return bpy.data.objects.new(_SHAPE_NAME, mesh)
