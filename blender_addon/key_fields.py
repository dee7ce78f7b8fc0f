# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads and writes the keys of an F-curve as arrays, in the types of Blender's own memory, so that they are copied whole.

An array of another type costs a Python number for each key, ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
from numpy.typing import NDArray

from .key_shapes import Interpolation, slopes
from .slices import Slices, exhaust

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
Keys = dict[str, NDArray]  # field -> (K,) or (K, 2)


def enum(field: str, identifier: str) -> int:
    """Blender's number of an enumerated value of a key."""
    return bpy.types.Keyframe.bl_rna.properties[field].enum_items[identifier].value


def read(fcurve: bpy.types.FCurve | None) -> Keys:
    """All keys of a curve; none without one."""
    points = fcurve.keyframe_points if fcurve is not None else ()
    keys = {}
    for field, width, dtype in _FIELDS:
        numbers = np.empty(len(points) * width, dtype)
        if len(points):
            points.foreach_get(field, numbers)
        keys[field] = numbers.reshape(-1, width) if width > 1 else numbers
    return keys


def places(fcurve: bpy.types.FCurve | None) -> NDArray[np.float32]:
    """Frames and values (K, 2) of a curve's keys."""
    points = fcurve.keyframe_points if fcurve is not None else ()
    numbers = np.empty(len(points) * 2, np.float32)
    if len(points):
        points.foreach_get("co", numbers)
    return numbers.reshape(-1, 2)


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
    slope = slopes(values)[at]
    place = np.searchsorted(keyed, at)
    gaps = np.concatenate([[1.0], np.diff(keyed), [1.0]]) / 3
    co = np.stack([at + first, values[at].astype(np.float64)], axis=1)
    rise = np.stack([np.ones(len(at)), slope], axis=1)
    return (
        (co - gaps[place][:, None] * rise).astype(np.float32),
        (co + gaps[place + 1][:, None] * rise).astype(np.float32),
    )


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
    keys: Keys = {field: np.full(len(at), number) for field, number in constants.items()}
    return {**keys, "co": np.stack([at + first, values[at]], axis=1), "handle_left": left, "handle_right": right}


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
