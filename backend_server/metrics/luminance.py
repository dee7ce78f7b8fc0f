"""Computes how bright each pixel is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError

_WEIGHTS = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def luminance(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Luminance (..., H, W) in [0, 255] of u8 pictures (..., H, W, 3); a grey picture (H, W) is taken as it is.

    Raises:
        ShapeError: the array is not a picture.
    """
    if pictures.ndim == 2:
        return pictures.astype(np.float64)
    if pictures.ndim < 3 or pictures.shape[-1] != 3:
        raise ShapeError(f"expected pictures of shape (..., H, W, 3), got {pictures.shape}")
    return np.asarray(pictures @ _WEIGHTS, np.float64)
