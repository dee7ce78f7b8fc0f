"""Defines the 68 facial landmarks and the lines that connect them.

The layout is that of iBUG 300-W: jaw, brows, nose, eyes, lips. "Right" and "left" are the person's own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

POINT_COUNT = 68

JAW = slice(0, 17)
RIGHT_BROW = slice(17, 22)
LEFT_BROW = slice(22, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
LIPS = slice(48, 68)
INNER_LIP_PAIRS = ((61, 67), (62, 66), (63, 65))  # upper and lower points that meet when the mouth closes

# The paper's "22 eye landmarks" (Section 3.2): ten of the brows and twelve of the lids.
EYE_REGION: tuple[int, ...] = (*range(17, 27), *range(36, 48))

# Points that speech and blinks do not move; they measure head motion: upper jaw line, nose, eye corners.
STABLE: tuple[int, ...] = (0, 1, 2, 14, 15, 16, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 39, 42, 45)


class Segment(NamedTuple):
    """One line of the drawn face: its name, its points in order, and whether the last joins the first."""

    name: str
    points: tuple[int, ...]
    is_closed: bool


SEGMENTS: tuple[Segment, ...] = (
    Segment("jaw", tuple(range(0, 17)), False),
    Segment("right_brow", tuple(range(17, 22)), False),
    Segment("left_brow", tuple(range(22, 27)), False),
    Segment("nose_bridge", tuple(range(27, 31)), False),
    Segment("nose_base", tuple(range(31, 36)), False),
    Segment("right_eye", tuple(range(36, 42)), True),
    Segment("left_eye", tuple(range(42, 48)), True),
    Segment("outer_lips", tuple(range(48, 60)), True),
    Segment("inner_lips", tuple(range(60, 68)), True),
)

# One name per point, used for bones and columns: "jaw_00" ... "inner_lips_07".
NAMES: tuple[str, ...] = tuple(f"{s.name}_{i:02d}" for s in SEGMENTS for i in range(len(s.points)))


def _both_sides(right: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the right side, and of the left one in the opposite order, as the points lie."""
    return right, tuple(name.replace("right", "left") for name in reversed(right))


_JAW, _LEFT_JAW = _both_sides(("jaw, at the right ear", *(f"right jaw line, {number}" for number in range(2, 9))))
_BROW, _LEFT_BROW = _both_sides(
    tuple(f"right brow, {place}" for place in ("outer end", "outer half", "middle", "inner half", "inner end"))
)
_NOSE, _LEFT_NOSE = _both_sides(("right nostril, outside", "right nostril, inside"))
_LIPS = ("right, beside the corner", "right of the middle", "middle", "left of the middle", "left, beside the corner")
_INSIDES = tuple(f"inside, {place}" for place in ("right", "middle", "left"))

# One name per point for people who look for it on a face: "left mouth corner".
LABELS: tuple[str, ...] = (
    *_JAW, "chin", *_LEFT_JAW,
    *_BROW, *_LEFT_BROW,
    "nose bridge, top", "nose bridge, upper half", "nose bridge, lower half", "nose tip",
    *_NOSE, "under the nose", *_LEFT_NOSE,
    "right eye, outer corner", "right upper lid, outer half", "right upper lid, inner half", "right eye, inner corner",
    "right lower lid, inner half", "right lower lid, outer half",
    "left eye, inner corner", "left upper lid, inner half", "left upper lid, outer half", "left eye, outer corner",
    "left lower lid, outer half", "left lower lid, inner half",
    "right mouth corner", *(f"upper lip, {place}" for place in _LIPS),
    "left mouth corner", *(f"lower lip, {place}" for place in reversed(_LIPS)),
    "right mouth corner, inside", *(f"upper lip {place}" for place in _INSIDES),
    "left mouth corner, inside", *(f"lower lip {place}" for place in reversed(_INSIDES)),
)  # fmt: skip

_MIRROR_PAIRS = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    (31, 35), (32, 34),
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
    (48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65),
)  # fmt: skip


def _mirror_order() -> np.ndarray:
    order = np.arange(POINT_COUNT)
    for right, left in _MIRROR_PAIRS:
        order[right], order[left] = left, right
    order.flags.writeable = False
    return order


# MIRROR[i] is the point that i becomes when the picture is flipped left to right.
MIRROR = _mirror_order()
