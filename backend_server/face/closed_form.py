"""Finds how much of each doubtful pixel is the person, from the known pixels around it.

Closed-form matting (Levin, Lischinski, Weiss, 2008): in every window of 3 x 3 pixels alpha is a linear function of the
colour, which gives one sparse system of equations for the doubtful pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import cg

_WINDOW = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
_SIZE = len(_WINDOW)


def closed_form_alpha(
    image: NDArray[np.uint8],
    guess: NDArray[np.float32],
    is_doubtful: NDArray[np.bool_],
    trust: NDArray[np.float32],
    smoothness: float = 1e-5,
    tolerance: float = 1e-3,
    iterations: int = 300,
) -> NDArray[np.float32]:
    """Returns alpha f32 (H, W) in [0, 1], equal to `guess` where nothing is doubtful.

    Args:
        image: u8 (H, W, 3).
        guess: f32 (H, W) in [0, 1]: known outside the doubtful pixels, a first guess inside.
        is_doubtful: bool (H, W): the pixels to solve for.
        trust: f32 (H, W) above 0, weight of the guess at doubtful pixels; the colours' own is about 1.
        smoothness: epsilon of the paper, a variance of colours in [0, 1].
        tolerance: of the solution, relative.
        iterations: the most steps of conjugate gradients.
    """
    if not is_doubtful.any():
        return guess.copy()
    laplacian = matting_laplacian(image, is_doubtful, smoothness)
    unknown = is_doubtful.ravel()
    rows = laplacian[unknown]
    known = np.where(unknown, 0, guess.ravel()).astype(np.float64)
    first = guess.ravel()[unknown].astype(np.float64)
    weight = trust.ravel()[unknown].astype(np.float64)
    system = csr_array(rows[:, unknown] + diags_array(weight))
    jacobi = diags_array(1 / system.diagonal())
    solved, _ = cg(system, weight * first - rows @ known, x0=first, rtol=tolerance, maxiter=iterations, M=jacobi)
    alpha = guess.copy()
    alpha[is_doubtful] = np.clip(solved, 0, 1)
    return alpha


def matting_laplacian(image: NDArray[np.uint8], region: NDArray[np.bool_], smoothness: float) -> csr_array:
    """Returns the matting Laplacian (H W, H W) of all windows of 3 x 3 pixels that touch `region` bool (H, W)."""
    height, width = region.shape
    is_centre = cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    is_centre[[0, -1]] = False
    is_centre[:, [0, -1]] = False
    centres = np.flatnonzero(is_centre)
    pixels = (centres[:, None] + _WINDOW @ (width, 1)).astype(np.int32)  # (N, 9)
    colours = image.reshape(-1, 3)[pixels] / 255.0
    colours -= colours.mean(1, keepdims=True)
    covariance = colours.transpose(0, 2, 1) @ colours / _SIZE + np.eye(3) * (smoothness / _SIZE)
    affinity = (1 + colours @ np.linalg.solve(covariance, colours.transpose(0, 2, 1))) / _SIZE  # (N, 9, 9)
    blocks = np.eye(_SIZE) - affinity
    rows = np.repeat(pixels, _SIZE, axis=1).ravel()
    columns = np.tile(pixels, (1, _SIZE)).ravel()
    return csr_array(coo_array((blocks.ravel(), (rows, columns)), shape=(height * width,) * 2))
