# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads and writes the keys of an F-curve as arrays, in the types of Blender's own memory, which it copies whole.

An array of another type costs a Python number for each key, ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import bpy
import numpy as np
from numpy.typing import NDArray

from ..slices import Slices, exhaust
from .key_shapes import Interpolation, slopes

MANY = 30_000  # keys, above which each field is a slice of its own
_FIELDS = (  # of a keyframe point: name, numbers, type
    ("co", 2, np.float32),
    ("handle_left", 2, np.float32),
    ("handle_right", 2, np.float32),
    ("interpolation", 1, np.uint8),
    ("easing", 1, np.uint8),
    ("type", 1, np.uint8),
    ("handle_left_type", 1, np.uint8),
    ("handle_right_type", 1, np.uint8),
    ("amplitude", 1, np.float32),
    ("period", 1, np.float32),
    ("back", 1, np.float32),
)
_MARKS = ("co", "interpolation", "type")  # from which is told whose a key is
Keys = dict[str, NDArray]  # field -> (K,) or (K, 2)


def enum(field: str, identifier: str) -> int:
    """Blender's number of an enumerated value of a key."""
    return bpy.types.Keyframe.bl_rna.properties[field].enum_items[identifier].value


def read(fcurve: bpy.types.FCurve | None, wanted: Collection[str] = tuple(field for field, _, _ in _FIELDS)) -> Keys:
    """All keys of a curve, or some fields of them; none without a curve."""
    points = fcurve.keyframe_points if fcurve is not None else ()
    keys = {}
    for field, width, dtype in _FIELDS:
        if field in wanted:
            numbers = np.empty(len(points) * width, dtype)
            if len(points):
                points.foreach_get(field, numbers)
            keys[field] = numbers.reshape(-1, width) if width > 1 else numbers
    return keys


def marks(fcurve: bpy.types.FCurve | None, *, with_handles: bool) -> Keys:
    """What tells whose the keys of a curve are."""
    return read(fcurve, (*_MARKS, "handle_left", "handle_right") if with_handles else _MARKS)


def places(fcurve: bpy.types.FCurve | None) -> NDArray[np.float32]:
    """Frames and values (K, 2) of a curve's keys."""
    return read(fcurve, ("co",))["co"]


def whole_frames(frames: NDArray, first: int, count: int) -> NDArray[np.bool_]:
    """On which of `count` frames from the first there is a key, (T,)."""
    index = np.round(frames).astype(np.int64) - first
    there = np.zeros(count, bool)
    there[index[(index >= 0) & (index < count) & (frames == index + first)]] = True
    return there


def some(keys: Keys, is_wanted: NDArray[np.bool_]) -> Keys:
    """Those of the keys that are wanted."""
    return {field: numbers[is_wanted] for field, numbers in keys.items()}


def handles(
    first: int, values: NDArray[np.float32], at: NDArray[np.intp], keyed: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Left and right handles (K, 2) at a third of the way to the neighbouring keys, along the motion.

    Args:
        first: scene frame of the motion's first.
        values: the motion (T,).
        at: which of its frames have these handles, K.
        keyed: all of its frames that were keyed, which are the neighbours.
    """
    if len(keyed) == len(values) == len(at):
        before = after = np.full(len(at), 1 / 3)
    else:
        place = np.searchsorted(keyed, at)
        gaps = np.concatenate([[1.0], np.diff(keyed), [1.0]]) / 3
        before, after = gaps[place], gaps[place + 1]
    slope, frames, heights = slopes(values)[at], at + float(first), values[at]
    left, right = np.empty((len(at), 2), np.float32), np.empty((len(at), 2), np.float32)
    left[:, 0], left[:, 1] = frames - before, heights - before * slope
    right[:, 0], right[:, 1] = frames + after, heights + after * slope
    return left, right


def generated(
    first: int, values: NDArray[np.float32], at: NDArray[np.intp], keyed: NDArray[np.intp], interpolation: Interpolation
) -> Keys:
    """New keys of Blender's type "Generated"; see `handles`."""
    left, right = handles(first, values, at, keyed)
    handle = enum("handle_left_type", "ALIGNED" if interpolation is Interpolation.BEZIER else "AUTO_CLAMPED")
    constants = {
        "interpolation": enum("interpolation", interpolation.value),
        "easing": enum("easing", "AUTO"),
        "type": enum("type", "GENERATED"),
        "handle_left_type": handle,
        "handle_right_type": handle,
        "amplitude": 0.8,  # Blender's own defaults for the easings that use them
        "period": 4.1,
        "back": 1.70158,
    }
    keys: Keys = {field: np.full(len(at), constants[field], dtype) for field, _, dtype in _FIELDS if field in constants}
    co = np.empty((len(at), 2), np.float32)
    co[:, 0], co[:, 1] = at + first, values[at]
    return {**keys, "co": co, "handle_left": left, "handle_right": right}


def put(fcurve: bpy.types.FCurve, kept: Keys, new: Keys) -> None:
    """Gives a curve these keys and no others."""
    exhaust(put_steps(lambda: fcurve, kept, new))


def put_steps(find: Callable[[], bpy.types.FCurve], kept: Keys, new: Keys) -> Slices[None]:
    """The same in slices, for the curve that is found again after each."""
    points = find().keyframe_points
    points.clear()
    count = len(kept["co"]) + len(new["co"])
    points.add(count)
    order = np.argsort(np.concatenate([kept["co"][:, 0], new["co"][:, 0]]), kind="stable") if len(kept["co"]) else None
    for field, _, dtype in _FIELDS:
        numbers = new[field] if order is None else np.concatenate([kept[field], new[field]])[order]
        points.foreach_set(field, np.ascontiguousarray(numbers, dtype).ravel())
        if count > MANY:
            yield 0.0
            points = find().keyframe_points
    if order is not None:
        find().update()  # handles of keys that have other neighbours now
