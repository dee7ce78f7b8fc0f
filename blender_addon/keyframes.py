# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Writes landmark curves as keys, without touching a key that an artist made.

One slotted action per armature, 136 F-curves (68 bones, two axes), one key on every whole scene frame of the strip.
Keys are of Blender's type "Generated", and the action remembers their values. A second bake removes only keys that are
still as a bake wrote them; it keeps a key that an artist added, moved or changed. Interpolation is linear: a curve with
a key on every frame needs no handles, and linear pieces cannot overshoot when motion blur reads between frames. The
handles are automatic, so a studio that removes some keys can switch to Bezier.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat
from ._shared import errors, landmarks
from .landmark_rig import AXES, data_path

_BAKES = "speech_face_bakes"  # custom property of the action: name of the bake -> {"first": frame, "values": floats}
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
_CURVE_COUNT = landmarks.POINT_COUNT * len(AXES)
_Keys = dict[str, NDArray]


@dataclass(frozen=True)
class _Bake:
    """What an earlier bake has written: whole frames from `first` on, values f32 (T, 136)."""

    first: int
    values: NDArray[np.float32]

    def holds(self, frames: NDArray, values: NDArray, column: int) -> NDArray[np.bool_]:
        """Which keys of the curve number `column` are still as they were written."""
        index = np.round(frames).astype(int) - self.first
        is_inside = (index >= 0) & (index < len(self.values)) & (frames == np.round(frames))
        return is_inside & (self.values[np.clip(index, 0, len(self.values) - 1), column] == values)


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
    values = locations.reshape(len(locations), -1).astype(np.float32)  # (T, 68 * 2)
    bakes = _remembered(action)
    stale = [(int(scene_frames[0]), int(scene_frames[-1]))]
    if bake in bakes:
        stale.append((bakes[bake].first, bakes[bake].first + len(bakes[bake].values) - 1))
    paths = [(data_path(name), axis, name) for name in landmarks.NAMES for axis in AXES]
    for column, (path, axis, group) in enumerate(paths):
        fcurve = bag.fcurves.find(path, index=axis) or compat.new_fcurve(bag, path, axis, group)
        old = _read(fcurve.keyframe_points)
        at, height = old["co"].T
        is_stale = np.any([(first <= at) & (at <= last) for first, last in stale], axis=0)
        is_ours = np.any([b.holds(at, height, column) for b in bakes.values()] or [np.zeros(len(at), bool)], axis=0)
        is_ours &= old["type"] == _enum("type", "GENERATED")
        kept = {field: numbers[~(is_stale & is_ours)] for field, numbers in old.items()}
        _write_keys(fcurve, kept, scene_frames, values[:, column])
    action[_BAKES][bake] = {"first": int(scene_frames[0]), "values": values.ravel()}
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


def _remembered(action: bpy.types.Action) -> dict[str, _Bake]:
    return {
        name: _Bake(int(bake["first"]), np.asarray(bake["values"], np.float32).reshape(-1, _CURVE_COUNT))
        for name, bake in action[_BAKES].items()
    }


def _write_keys(fcurve: bpy.types.FCurve, kept: _Keys, frames: NDArray[np.int64], values: NDArray) -> None:
    is_free = ~np.isin(frames, kept["co"][:, 0])
    new = _generated(frames[is_free], values[is_free])
    points = fcurve.keyframe_points
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
