"""Estimates what a face looks like at rest from one photo of it.

Eq. 7 adds speech to the neutral pose l_p. The paper takes l_p from the target image as it is; people smile in photos,
and a motion that should close the lips would then still show the teeth. So parted lips are closed first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.landmarks import INNER_LIP_PAIRS, INNER_LIPS, LEFT_EYE, RIGHT_EYE

# Points of the outer lips that follow each pair: upper, lower.
_OUTER_UPPER = ((49, 0.5), (50, 1.0), (51, 1.0), (52, 1.0), (53, 0.5))
_OUTER_LOWER = ((59, 0.5), (58, 1.0), (57, 1.0), (56, 1.0), (55, 0.5))
_PAIR_OF_OUTER = (0, 0, 1, 2, 2)
CLOSED_GAP = 0.02  # of the inter-ocular distance: thinner gaps are the detector's noise on closed lips
UPPER_SHARE = 0.3  # of the way: the lower lip, carried by the jaw, does the rest


def rest_pose(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks with the lips brought together; a closed mouth stays as it is.

    Args:
        landmarks: (68, 2), any unit, y down.

    Returns:
        The same shape and unit.
    """
    rested = landmarks.copy()
    inter_ocular = np.linalg.norm(landmarks[LEFT_EYE].mean(0) - landmarks[RIGHT_EYE].mean(0))
    gaps = np.array([landmarks[lower] - landmarks[upper] for upper, lower in INNER_LIP_PAIRS])  # (3, 2)
    if np.linalg.norm(gaps, axis=1).max() <= CLOSED_GAP * inter_ocular:
        return rested
    for (upper, lower), gap in zip(INNER_LIP_PAIRS, gaps, strict=True):
        rested[upper] += UPPER_SHARE * gap
        rested[lower] -= (1 - UPPER_SHARE) * gap
    for (upper, up_weight), (lower, low_weight), pair in zip(_OUTER_UPPER, _OUTER_LOWER, _PAIR_OF_OUTER, strict=True):
        rested[upper] += up_weight * UPPER_SHARE * gaps[pair]
        rested[lower] -= low_weight * (1 - UPPER_SHARE) * gaps[pair]
    return rested


def distance_from_rest(landmarks: NDArray[np.float32]) -> float:
    """How far an image is from a neutral pose: open lips and half-closed eyes count, in inter-ocular distances."""
    inter_ocular = float(np.linalg.norm(landmarks[LEFT_EYE].mean(0) - landmarks[RIGHT_EYE].mean(0)))
    inner = landmarks[INNER_LIPS]
    gap = float(np.linalg.norm(inner[2] - inner[6]))
    lids = [np.linalg.norm(landmarks[a] - landmarks[b]) for a, b in ((37, 41), (38, 40), (43, 47), (44, 46))]
    return (gap - float(np.mean(lids))) / inter_ocular
