"""Measures how restless a rendered face is where nothing should move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.metrics.luminance import luminance
from shared.errors import ShapeError

MOVING_PIXELS = 2.0  # a landmark that travels farther than this over the frames moves
REACH_PIXELS = 32.0  # what lies nearer to a moving landmark may move with it


def temporal_deviation(frames: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Standard deviation of each pixel's luminance over the frames, averaged over the pixels of the mask.

    A slow drift of the light or of the head counts in full; `flicker` sees only what changes from frame to frame.

    Args:
        frames: u8 pictures of equal spacing in time, (T, H, W, 3) or grey (T, H, W).
        mask: the pixels that count, (H, W).

    Returns:
        Grey levels; NaN when the mask is empty or there is no frame.

    Raises:
        ShapeError: the mask is not of the frames' size.
    """
    return _mean(_masked(frames, mask).std(axis=0) if len(frames) else np.empty(0))


def flicker(frames: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Absolute change of each pixel's luminance from frame to frame, averaged over steps and pixels of the mask.

    Args:
        frames: u8 pictures of equal spacing in time, (T, H, W, 3) or grey (T, H, W).
        mask: the pixels that count, (H, W).

    Returns:
        Grey levels a frame; NaN when the mask is empty or there are fewer than two frames.

    Raises:
        ShapeError: the mask is not of the frames' size.
    """
    return _mean(np.abs(np.diff(_masked(frames, mask), axis=0)))


def still_pixels(landmarks: NDArray[np.floating], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels more than 32 pixels away from all that moving landmarks pass through.

    Args:
        landmarks: of the same frames, (T, 68, 2), pixels.
        height: of the frames, pixels.
        width: of the frames, pixels.

    Returns:
        Mask (H, W), true where nothing should move.
    """
    moves = np.linalg.norm(np.ptp(landmarks, axis=0), axis=-1) > MOVING_PIXELS
    rows, columns = np.mgrid[:height, :width]
    mask = np.ones((height, width), bool)
    for x, y in landmarks[:, moves].reshape(-1, 2):
        mask &= np.square(columns - x) + np.square(rows - y) > REACH_PIXELS**2
    return mask


def _masked(frames: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Luminance of the pixels of the mask, (T, P)."""
    if frames.ndim not in (3, 4) or frames.shape[1:3] != mask.shape:
        raise ShapeError(f"expected frames (T, H, W, 3) and a mask (H, W), got {frames.shape} and {mask.shape}")
    grey = luminance(frames) if frames.ndim == 4 else frames.astype(np.float64)
    return grey[:, mask]


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
