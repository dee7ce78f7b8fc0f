# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Writes curves as keys, without touching a key that an artist made.

One slotted action for each armature or shape keys, one F-curve for each property, one key on every whole scene frame of
the strip. The action is active, and one that was active before moves to an NLA track; or it lies on an NLA track of its
own, and the active one stays. Keys are of Blender's type "Generated", and the action remembers their values. A second
bake removes only keys that are still as a bake wrote them; it keeps a key that an artist added, moved or changed.
Interpolation is linear: a curve with a key on every frame needs no handles, and linear pieces cannot overshoot when
motion blur reads between frames. The handles are automatic, so a studio that removes some keys can switch to Bezier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat
from ._shared import errors

TRACK = "Speech Face"  # the NLA track of its own
_BAKES = "speech_face_bakes"  # property of the action: name of the bake -> {"first": frame, "values", "curves"}
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


@dataclass(frozen=True)
class Curve:
    """An animated number.

    Attributes:
        data_path: from the datablock to the property.
        index: in the property; 0 if it is one number.
        group: under which editors show the curve.
    """

    data_path: str
    index: int
    group: str = TRACK


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        action: holds the keys.
        is_kept: bool (T, C), where a key of an artist stays instead of ours.
    """

    action: bpy.types.Action
    is_kept: NDArray[np.bool_]


@dataclass(frozen=True)
class _Bake:
    """What an earlier bake has written: whole frames from `first` on, values f32 (T, C), its curves' columns."""

    first: int
    values: NDArray[np.float32]
    columns: dict[tuple[str, int], int]

    @property
    def range(self) -> tuple[int, int]:
        """First and last frame."""
        return self.first, self.first + len(self.values) - 1

    def holds(self, frames: NDArray, values: NDArray, curve: tuple[str, int]) -> NDArray[np.bool_]:
        """Which keys of a curve are still as they were written."""
        if curve not in self.columns:
            return np.zeros(len(frames), bool)
        index = np.round(frames).astype(int) - self.first
        is_inside = (index >= 0) & (index < len(self.values)) & (frames == np.round(frames))
        return is_inside & (self.values[np.clip(index, 0, len(self.values) - 1), self.columns[curve]] == values)


def write(
    owner: bpy.types.ID,
    bake: str,
    scene_frames: NDArray[np.int64],
    curves: Sequence[Curve],
    values: NDArray,
    *,
    name: str = "",
    is_nla: bool = False,
) -> Written:
    """Keys properties of a datablock.

    Args:
        owner: an armature object, or the shape keys of a mesh.
        bake: name under which the range is remembered, so that the next bake of this name replaces it.
        scene_frames: whole frames (T,), ascending by one.
        curves: C animated numbers.
        values: (T, C).
        name: for a new action; the owner's if empty.
        is_nla: whether the action lies on an NLA track of its own, instead of being the active one.

    Raises:
        ShapeError: frames, curves and values do not fit together.
    """
    expected = (len(scene_frames), len(curves))
    if values.shape != expected:
        raise errors.ShapeError(f"expected values of shape {expected}, got {values.shape}")
    animation = owner.animation_data or owner.animation_data_create()
    action, slot = _own_action(owner, animation, name or owner.name)
    bag = _channels(action, slot)
    values = values.astype(np.float32)
    bakes = _remembered(action, curves)
    stale = [(int(scene_frames[0]), int(scene_frames[-1]))]
    wanted = {(curve.data_path, curve.index): column for column, curve in enumerate(curves)}
    dropped = []
    if bake in bakes:
        stale.append(bakes[bake].range)
        dropped = [key for key in bakes[bake].columns if key not in wanted]
    is_kept = np.zeros(values.shape, bool)
    for column, curve in enumerate(curves):
        key = (curve.data_path, curve.index)
        fcurve = bag.fcurves.find(curve.data_path, index=curve.index) or compat.new_fcurve(bag, *key, curve.group)
        kept = _without(_read(fcurve.keyframe_points), key, stale, bakes)
        is_kept[:, column] = np.isin(scene_frames, kept["co"][:, 0])
        is_free = ~is_kept[:, column]
        _write_keys(fcurve, kept, _generated(scene_frames[is_free], values[is_free, column]))
    for key in dropped:
        _drop(owner, bag, key, stale, bakes)
    text = "\n".join(f"{path}[{index}]" for path, index in wanted)
    action[_BAKES][bake] = {"first": int(scene_frames[0]), "values": values.ravel(), "curves": text}
    _place(animation, action, slot, is_nla=is_nla)
    return Written(action, is_kept)


def _own_action(
    owner: bpy.types.ID, animation: bpy.types.AnimData, name: str
) -> tuple[bpy.types.Action, bpy.types.ActionSlot]:
    """The action of earlier bakes, active or on the track of its own, or a new one."""
    animation.use_tweak_mode = False  # in it no action can be given
    track = _own_track(animation)
    action, slot = animation.action, animation.action_slot
    if (action is None or _BAKES not in action) and track is not None:
        action, slot = track.strips[0].action, track.strips[0].action_slot
    if action is None or _BAKES not in action:
        action, slot = bpy.data.actions.new(f"{name} Speech"), None
        action[_BAKES] = {}
    return action, slot or action.slots.new(id_type=owner.id_type, name=name)


def _own_track(animation: bpy.types.AnimData) -> bpy.types.NlaTrack | None:
    for track in animation.nla_tracks:
        action = track.strips[0].action if track.name == TRACK and len(track.strips) else None
        if action is not None and _BAKES in action:
            return track
    return None


def _place(
    animation: bpy.types.AnimData, action: bpy.types.Action, slot: bpy.types.ActionSlot, *, is_nla: bool
) -> None:
    """Makes the action the active one, or lays it on the NLA track of its own, frame on frame."""
    track = _own_track(animation)
    if not is_nla:
        if track is not None and track.strips[0].action == action:
            animation.nla_tracks.remove(track)
        if animation.action not in (None, action):
            _push_down(animation, animation.action.name, animation.action, animation.action_slot)
        animation.action, animation.action_slot = action, slot
        return
    if animation.action == action:
        animation.action = None
    if track is None:
        track = _push_down(animation, TRACK, action, slot)
    strip, (first, last) = track.strips[0], action.frame_range
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1)
    strip.scale = strip.repeat = 1.0
    strip.frame_start_raw, strip.frame_end_raw = first, max(last, first + 1)


def _push_down(
    animation: bpy.types.AnimData, name: str, action: bpy.types.Action, slot: bpy.types.ActionSlot | None
) -> bpy.types.NlaTrack:
    track = animation.nla_tracks.new()
    track.name = name
    strip = track.strips.new(action.name, int(action.frame_range[0]), action)
    if slot is not None:
        strip.action_slot = slot
    return track


def _channels(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> bpy.types.ActionChannelbag:
    layer = action.layers[0] if action.layers else action.layers.new(TRACK)
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def _remembered(action: bpy.types.Action, curves: Sequence[Curve]) -> dict[str, _Bake]:
    """The earlier bakes; those of the first releases do not name their curves, which were those of now."""
    bakes = {}
    for name, bake in action[_BAKES].items():
        named = [line.rpartition("[") for line in bake["curves"].split("\n")] if "curves" in bake else []
        keys = [(path, int(index[:-1])) for path, _, index in named] or [(c.data_path, c.index) for c in curves]
        values = np.asarray(bake["values"], np.float32).reshape(-1, len(keys))
        bakes[name] = _Bake(int(bake["first"]), values, {key: column for column, key in enumerate(keys)})
    return bakes


def _without(keys: _Keys, curve: tuple[str, int], stale: list[tuple[int, int]], bakes: dict[str, _Bake]) -> _Keys:
    """The keys of a curve but those in stale ranges that are as a bake wrote them."""
    at, height = keys["co"].T
    is_stale = np.any([(first <= at) & (at <= last) for first, last in stale], axis=0)
    is_ours = np.any([b.holds(at, height, curve) for b in bakes.values()] or [np.zeros(len(at), bool)], axis=0)
    is_ours &= keys["type"] == _enum("type", "GENERATED")
    return {field: numbers[~(is_stale & is_ours)] for field, numbers in keys.items()}


def _drop(
    owner: bpy.types.ID,
    bag: bpy.types.ActionChannelbag,
    curve: tuple[str, int],
    stale: list[tuple[int, int]],
    bakes: dict[str, _Bake],
) -> None:
    """Removes our keys of a curve that this bake no longer has; without any key left, the property goes to rest."""
    path, index = curve
    if (fcurve := bag.fcurves.find(path, index=index)) is None:
        return
    kept = _without(_read(fcurve.keyframe_points), curve, stale, bakes)
    if len(kept["co"]):
        _write_keys(fcurve, kept, _generated(np.empty(0), np.empty(0)))
        return
    bag.fcurves.remove(fcurve)
    holder, _, name = path.rpartition(".")
    try:
        struct = owner.path_resolve(holder)
    except ValueError:  # the shape key or bone is gone
        return
    declared = struct.bl_rna.properties[name]
    if declared.is_array:
        getattr(struct, name)[index] = declared.default_array[index]
    else:  # the declared default of a shape key is 1
        setattr(struct, name, 0.0 if isinstance(struct, bpy.types.ShapeKey) else declared.default)


def _write_keys(fcurve: bpy.types.FCurve, kept: _Keys, new: _Keys) -> None:
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
