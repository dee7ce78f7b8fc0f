"""How close is a picture to another one?

Peak signal-to-noise ratio and structural similarity (Wang et al. 2004), the first two columns of the paper's tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from shared.errors import ShapeError


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
