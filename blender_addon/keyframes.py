# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""How do landmark curves become keys, without touching a key that an artist made?

One slotted action an armature, 136 F-curves (68 bones, two axes), one key on every whole scene frame of the strip.
Keys are of Blender's type "Generated"; a second bake removes only generated keys of its own earlier range, and
where an artist has put a key of another type it stays and wins. Interpolation is linear: a curve with a key on every
frame needs no handles, and linear pieces cannot overshoot when motion blur reads between frames. The handles are
automatic, so a studio that thins the keys can switch to Bezier.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat
from ._shared import errors, landmarks
from .landmark_rig import AXES, data_path

_BAKES = "speech_face_bakes"  # custom property of the action: name of the bake -> [first frame, last frame]
_FIELDS = (  # of a keyframe point: name, numbers, type
    ("co", 2, np.float32),
    ("handle_left", 2, np.float32),
    ("handle_right", 2, np.float32),
    ("interpolation", 1, np.int32),
    ("easing", 1, np.int32),
    ("type", 1, np.int32),
    ("handle_left_type", 1, np.int32),
    ("handle_right_type", 1, np.int32),
    ("amplitude", 1, np.float32),
    ("period", 1, np.float32),
    ("back", 1, np.float32),
)
_Keys = dict[str, NDArray]


def write(rig: bpy.types.Object, bake: str, scene_frames: NDArray[np.int64], locations: NDArray) -> bpy.types.Action:
    """Keys the bones' locations and returns the action.

    Args:
        rig: an armature with a bone for every landmark.
        bake: name under which the range is remembered, so that the next bake of this name replaces it.
        scene_frames: whole frames (T,), ascending by one.
        locations: metres (T, 68, 2) in the bones' own x and y.

    Raises:
        ShapeError: frames and locations do not fit together.
    """
    expected = (len(scene_frames), landmarks.POINT_COUNT, len(AXES))
    if locations.shape != expected:
        raise errors.ShapeError(f"expected locations of shape {expected}, got {locations.shape}")
    action, bag = _own_channels(rig)
    first, last = int(scene_frames[0]), int(scene_frames[-1])
    ranges = [(first, last), *_remembered(action, bake)]
    for point, name in enumerate(landmarks.NAMES):
        for column, axis in enumerate(AXES):
            fcurve = bag.fcurves.find(data_path(name), index=axis)
            if fcurve is None:
                fcurve = compat.new_fcurve(bag, data_path(name), axis, name)
            _replace_keys(fcurve, ranges, scene_frames, locations[:, point, column])
    action[_BAKES] = {**dict(action.get(_BAKES, {})), bake: [first, last]}
    return action


def _own_channels(rig: bpy.types.Object) -> tuple[bpy.types.Action, bpy.types.ActionChannelbag]:
    """The action of earlier bakes or a new one, active on the rig; another active action moves to an NLA track."""
    animation = rig.animation_data or rig.animation_data_create()
    action = animation.action
    if action is None or _BAKES not in action:
        if action is not None:
            track = animation.nla_tracks.new()
            track.name = action.name
            track.strips.new(action.name, int(action.frame_range[0]), action)
        action = bpy.data.actions.new(f"{rig.name} Speech")
        action[_BAKES] = {}
        animation.action = action
    slot = animation.action_slot or action.slots.new(id_type="OBJECT", name=rig.name)
    animation.action_slot = slot
    layer = action.layers[0] if action.layers else action.layers.new("Speech Face")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return action, strip.channelbag(slot, ensure=True)


def _remembered(action: bpy.types.Action, bake: str) -> list[tuple[int, int]]:
    bakes = action[_BAKES]
    return [(int(bakes[bake][0]), int(bakes[bake][1]))] if bake in bakes else []


def _replace_keys(
    fcurve: bpy.types.FCurve, ranges: list[tuple[int, int]], frames: NDArray[np.int64], values: NDArray
) -> None:
    points = fcurve.keyframe_points
    old = _read(points)
    at = old["co"][:, 0]
    in_range = np.any([(first <= at) & (at <= last) for first, last in ranges], axis=0)
    kept = {field: numbers[~((old["type"] == _enum("type", "GENERATED")) & in_range)] for field, numbers in old.items()}
    is_free = ~np.isin(frames, kept["co"][:, 0])
    new = _generated(frames[is_free], values[is_free])
    points.clear()
    points.add(len(kept["co"]) + len(new["co"]))
    for field, _, dtype in _FIELDS:
        points.foreach_set(field, np.concatenate([kept[field], new[field]]).astype(dtype).ravel())
    fcurve.update()


def _read(points: bpy.types.FCurveKeyframePoints) -> _Keys:
    keys = {}
    for field, width, dtype in _FIELDS:
        numbers = np.empty(len(points) * width, dtype)
        points.foreach_get(field, numbers)
        keys[field] = numbers.reshape(-1, width) if width > 1 else numbers
    return keys


def _generated(frames: NDArray[np.int64], values: NDArray) -> _Keys:
    count = len(frames)
    co = np.stack([frames, values], axis=1)
    constants = {
        "interpolation": _enum("interpolation", "LINEAR"),
        "easing": _enum("easing", "AUTO"),
        "type": _enum("type", "GENERATED"),
        "handle_left_type": _enum("handle_left_type", "AUTO_CLAMPED"),
        "handle_right_type": _enum("handle_right_type", "AUTO_CLAMPED"),
        "amplitude": 0.8,  # Blender's own defaults for the easings that use them
        "period": 4.1,
        "back": 1.70158,
    }
    keys = {field: np.full(count, number) for field, number in constants.items()}
    return {**keys, "co": co, "handle_left": co, "handle_right": co}


def _enum(field: str, identifier: str) -> int:
    return bpy.types.Keyframe.bl_rna.properties[field].enum_items[identifier].value
