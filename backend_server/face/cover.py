"""Compares a matte with the face that it must cover, and mends it where it does not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_OUTLINE = [*range(17), *range(26, 16, -1)]  # jaw and brows
_SHRUNK = 0.92  # the jaw line itself may lie in the matte's soft edge
_OPAQUE = 230  # of 255
MOST_MISSED = 0.02  # of the face; hair over the temples and noise miss less
MOSTLY_MISSED = 0.5  # of the face: the matte knows nothing of the person

Matte = NDArray[np.uint8]


def missed_share(matte: Matte, landmarks: NDArray[np.floating]) -> float:
    """The share of the face that a matte (H, W) leaves transparent.

    Args:
        matte: 255 where the person is.
        landmarks: (68, 2) pixels of the matte.
    """
    face = _face(landmarks, matte.shape, _SHRUNK) > 127
    return float((matte[face] < _OPAQUE).mean()) if face.any() else 0.0


def covering(matte: Matte, landmarks: NDArray[np.floating]) -> Matte:
    """The matte (H, W), opaque on the face: a face has no holes, whatever a segmentation says of a drawing.

    One that misses most of the face would cut hair and neck from it, so then all is opaque.
    """
    if missed_share(matte, landmarks) > MOSTLY_MISSED:
        return np.full_like(matte, 255)
    face = cv2.GaussianBlur(_face(landmarks, matte.shape, 1.0), (0, 0), 2.0)
    return np.maximum(matte, np.asarray(face, np.uint8))


def _face(landmarks: NDArray[np.floating], shape: tuple[int, ...], scale: float) -> Matte:
    outline = landmarks[_OUTLINE]
    outline = outline.mean(0) + (outline - outline.mean(0)) * scale
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, shift=4)
    return mask
