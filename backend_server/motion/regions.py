"""Enlarges or calms the motion of the jaw, the lips, the brows and the lids, each by a gain of its own.

Pure functions on displacements from the neutral face, canonical units, y down. Gains of 1 return the very arrays that
were given. The blend shapes are read from the same motion, so that a rig follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.motion.controls import CLOSED_GAP, OPENING_SLOPE
from shared.landmarks import EYE_REGION, INNER_LIP_PAIRS, LIPS, POINT_COUNT
from shared.motion_controls import MotionControls

CHIN = slice(7, 10)  # its mean motion is that of the jaw
BROW_COUNT = 10  # of the eye region's points, which begin with them
LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))  # upper and lower points that meet when an eye closes

# How far the lips follow the chin, to the side and down; the upper lip does not. Downwards as the motion network moves
# them on average: trackers see less of the chin's motion than of the lower lip's.
_WITH_JAW = np.zeros((POINT_COUNT, 2), np.float32)
_WITH_JAW[[48, 54, 60, 64]] = 0.5, 0.4
_WITH_JAW[[55, 59, 65, 67]] = 1.0, 2.0
_WITH_JAW[[56, 58]] = 1.0, 2.25
_WITH_JAW[[57, 66]] = 1.0, 2.4
_CONTOUR = slice(0, 17)
# Which points move with the middle of an upper or lower inner lip that is brought back: it and the outer lip beyond it.
_UPPER_OF = ((61, 50), (62, 51), (63, 52))
_LOWER_OF = ((67, 58), (66, 57), (65, 56))

Array = NDArray[np.float32]


def by_region(displacements: Array, neutral: Array, controls: MotionControls) -> Array:
    """Motion whose jaw and lips are enlarged by their gains.

    The jaw's motion is that of the chin; it carries the jaw line, and the lips as far as they hang on it. What the
    lips do beyond that is their own: width, rounding, closing against the jaw. Lips that touch without gains touch as
    much with them, and lips that do not touch never cross: the chin moves further, and the lips stretch.

    Args:
        displacements: (T, 68, 2), as they would be shown without gains.
        neutral: the face at rest, (68, 2).
        controls: `jaw` and `lips` are read.
    """
    if controls.jaw == 1 and controls.lips == 1:
        return displacements
    jaw, lips = np.float32(controls.jaw), np.float32(controls.lips)
    carried = displacements[:, CHIN].mean(1, keepdims=True) * _WITH_JAW[LIPS]  # (T, 20, 2)
    result = displacements.copy()
    result[:, _CONTOUR] *= jaw
    result[:, LIPS] = jaw * carried + lips * (displacements[:, LIPS] - carried)
    gap = _gaps(neutral + displacements, INNER_LIP_PAIRS)
    most = gap + OPENING_SLOPE * np.maximum(gap - CLOSED_GAP, 0)
    missing = np.clip(_gaps(neutral + result, INNER_LIP_PAIRS), np.minimum(gap, CLOSED_GAP), most)
    missing -= _gaps(neutral + result, INNER_LIP_PAIRS)
    for pair, (upper, lower) in enumerate(zip(_UPPER_OF, _LOWER_OF, strict=True)):
        result[:, upper, 1] -= missing[:, pair, None] / 2
        result[:, lower, 1] += missing[:, pair, None] / 2
    return result


def eyes_by_region(eyes: Array, neutral: Array, controls: MotionControls) -> Array:
    """Motion of the eye region whose brows and lids are enlarged by their gains; lids never cross for that.

    Args:
        eyes: delta l^e, (T, 22, 2).
        neutral: the face at rest, (68, 2).
        controls: `brows` and `eyes` are read.
    """
    if controls.brows == 1 and controls.eyes == 1:
        return eyes
    result = eyes.copy()
    result[:, :BROW_COUNT] *= np.float32(controls.brows)
    result[:, BROW_COUNT:] *= np.float32(controls.eyes)
    if controls.eyes <= 1:
        return result
    pairs = [(EYE_REGION.index(upper), EYE_REGION.index(lower)) for upper, lower in LID_PAIRS]
    rest = neutral[list(EYE_REGION)]
    least = np.minimum(_gaps(rest + eyes, pairs), 0)
    crossed = np.minimum(_gaps(rest + result, pairs) - least, 0)  # (T, 4), at most 0
    for pair, (upper, lower) in enumerate(pairs):
        result[:, upper, 1] += crossed[:, pair] / 2
        result[:, lower, 1] -= crossed[:, pair] / 2
    return result


def _gaps(landmarks: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """Heights (T, P) between upper and lower points of landmarks (T, N, 2)."""
    upper, lower = (list(points) for points in zip(*pairs, strict=True))
    return landmarks[:, lower, 1] - landmarks[:, upper, 1]
