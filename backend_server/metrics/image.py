"""Measures how close a picture is to another one.

Peak signal-to-noise ratio and structural similarity (Wang et al. 2004), the first two columns of the paper's tables,
and the deviation of gradient magnitude similarity (Xue et al. 2014), which follows people's judgement more closely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import prewitt
from skimage.metrics import structural_similarity

from backend_server.metrics.luminance import luminance
from shared.errors import ShapeError
from shared.landmarks import LIPS

MOUTH_MARGIN = 0.2  # of the lips' width and height, added on each side of their box
_FAINT_EDGE = 170.0  # T of Xue et al.: squared grey levels, below which two edges count as alike


def _check(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
    if picture.shape != truth.shape or picture.ndim != 3:
        raise ShapeError(f"cannot compare pictures of shapes {picture.shape} and {truth.shape}")


def psnr(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of u8 pictures (H, W, 3), in dB; infinite for equal ones.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(picture, truth)
    error = np.square(picture.astype(np.float64) - truth).mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Structural similarity of u8 pictures (H, W, 3), at most 1; Gaussian windows as its authors had them.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(picture, truth)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity = structural_similarity(picture, truth, channel_axis=-1, data_range=255, **settings)
    return float(np.asarray(similarity))


def gmsd(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Deviation of the gradient magnitude similarity of u8 pictures (H, W, 3), 0 for equal ones and larger for worse.

    How alike the edges of both are is measured in each place, in luminance at half size; the figure is the standard
    deviation over the picture. So one smeared or invented place counts more than a slight fault everywhere.

    The authors' program takes all beyond the border as black; here the border itself goes on.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(picture, truth)
    made, wanted = _edges(picture), _edges(truth)
    similarity = (2 * made * wanted + _FAINT_EDGE) / (np.square(made) + np.square(wanted) + _FAINT_EDGE)
    return float(similarity.std())


def mouth_psnr(picture: NDArray[np.uint8], truth: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio in the box of the lips and a fifth of its sides around it, in dB.

    Args:
        picture: u8 (H, W, 3).
        truth: u8 (H, W, 3).
        landmarks: that drive the picture, (68, 2), its pixels.

    Returns:
        Infinite for equal boxes; NaN when the box lies outside the picture.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(picture, truth)
    box = mouth_box(landmarks, *picture.shape[:2])
    return psnr(picture[box], truth[box]) if picture[box].size else float("nan")


def mouth_box(landmarks: NDArray[np.floating], height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold the lips of landmarks (68, 2), pixels, and a fifth more on each side."""
    low, high = landmarks[LIPS].min(axis=0), landmarks[LIPS].max(axis=0)
    margin = MOUTH_MARGIN * (high - low)
    left, top = np.maximum(np.floor(low - margin), 0).astype(int)
    right, bottom = np.maximum(np.minimum(np.ceil(high + margin) + 1, (width, height)), 0).astype(int)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _edges(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Gradient magnitudes of a picture at half size, grey levels for two of its pixels (Prewitt's filters)."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    small = luminance(picture[: 2 * height, : 2 * width]).reshape(height, 2, width, 2).mean(axis=(1, 3))
    return np.hypot(*(prewitt(small, axis, mode="nearest") / 3 for axis in (0, 1)))
