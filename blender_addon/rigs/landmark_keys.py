"""Says what a landmark armature is keyed with: each landmark's own motion, and the head's as one bone where it has one.

On an armature without that bone, and on one whose bone stays at rest, the landmarks turn by themselves.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from .._shared import head, protocol
from ..coordinates import CropPlane
from ..keys.key_requests import Curve, Policy
from ..slices import Slices
from . import head_bone, landmark_rig


def motion_steps(
    rig: bpy.types.Object, made: protocol.LandmarkCurves, square: CropPlane, bake: str, policy: Policy
) -> Slices[tuple[tuple[Curve, ...], NDArray[np.float64]]]:
    """The curves C of a bake on an armature, and their motion (T, C).

    Args:
        rig: landmark armature; it is looked at before the first slice alone.
        made: by the backend.
        square: on which the picture lies.
        bake: its name.
        policy: by which it will be written.
    """
    poses, rest = made.head, landmark_rig.rest_positions(rig)
    if poses is None and head_bone.has_bone(rig) and head_bone.is_turned(rig, "" if policy is Policy.LAYER else bake):
        poses = np.zeros((len(made.landmarks), len(head.POSE)), np.float32)  # else earlier keys would turn it here too
    if poses is None or not head_bone.has_bone(rig):
        return tuple(landmark_rig.curves()), _locations(square.to_metres(made.landmarks), rest)
    unit = head.HeadAxes.of(made.neutral).eye_distance * square.metres_per_pixel
    flat = made.landmarks if made.head is None else made.still
    if flat is not None and head_bone.HeadRest.of(made.neutral, square).fits(rig):
        still = square.to_metres(flat)
    else:
        still = yield from head_bone.still_steps(rig, square.to_metres(made.landmarks), poses, unit)
    yield 1.0
    together = np.concatenate([_locations(still, rest), head_bone.values(poses, unit)], axis=1)
    return (*landmark_rig.curves(), *head_bone.curves()), together


def _locations(metres: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The locations of the bones (T, 136) that bring the landmarks from (68, 2) to (T, 68, 2)."""
    return (metres - rest).reshape(len(metres), -1)
