"""Finds the person's own colour where a pixel also shows the background.

Multi-level foreground estimation (Germer, Uelwer, Conrad, Harmeling, 2020): with I = alpha F + (1 - alpha) B, smooth F
and B are found first for a picture of one pixel, at last for the whole one. Outside the person F takes its nearest
colours, so that neither warping nor bilinear sampling shows the background.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import ImageError

_SMOOTHNESS = 1e-5  # epsilon_r of the paper: F and B equal their neighbours where I tells nothing
_GRADIENT_WEIGHT = 1.0  # omega: and more so across the edges of alpha
_SMALL_SIDE = 32  # pixels; up to this size steps cost little
_SMALL_STEPS, _STEPS = 10, 3
_SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))

Array = NDArray[np.float32]


def foreground_colours(image: NDArray[np.uint8], matte: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the person's own colours u8 (H, W, 3) of `image` u8 (H, W, 3), whose matte is u8 (H, W).

    Where the matte is 255 they are the image's own; a matte without any person returns the image.

    Raises:
        ImageError: image and matte do not match.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"An image must be 8-bit RGB (H, W, 3), got {image.dtype} of shape {image.shape}.")
    if matte.shape != image.shape[:2] or matte.dtype != np.uint8:
        raise ImageError(f"A matte must be 8-bit {image.shape[:2]}, got {matte.dtype} of shape {matte.shape}.")
    if matte.min() == 255 or matte.max() == 0:
        return image.copy()
    estimate, _ = _estimate(_unit(image), _unit(matte))
    colours = np.round(estimate * 255).astype(np.uint8)
    return np.where((matte == 255)[..., None], image, colours)


def nearest_colours(colours: NDArray[np.uint8], is_known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Returns `colours` u8 (H, W, 3) with the nearest known ones where they are not known (H, W), if any are."""
    if is_known.all() or not is_known.any():
        return colours
    unknown = (~is_known).astype(np.uint8)
    _, found = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = np.asarray(found, np.int64)  # of the nearest known pixel, each with a number of its own
    known = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    known[labels[is_known]] = colours[is_known]
    return known[labels]


def _estimate(image: Array, alpha: Array) -> tuple[Array, Array]:
    """F and B, f32 (H, W, 3) each."""
    height, width = alpha.shape
    front, back = _mean(image, alpha), _mean(image, 1 - alpha)
    levels = max(1, int(np.ceil(np.log2(max(height, width)))))
    for level in range(levels + 1):
        share = level / levels
        size = (max(1, round(width**share)), max(1, round(height**share)))
        pixels, cover = _resized(image, size, cv2.INTER_AREA), _resized(alpha, size, cv2.INTER_AREA)
        front, back = _resized(front, size, cv2.INTER_NEAREST), _resized(back, size, cv2.INTER_NEAREST)
        for _ in range(_SMALL_STEPS if max(size) <= _SMALL_SIDE else _STEPS):
            front, back = _step(pixels, cover, front, back)
    return front, back


def _resized(x: Array, size: tuple[int, int], interpolation: int) -> Array:
    return np.asarray(cv2.resize(x, size, interpolation=interpolation), np.float32)


def _unit(levels: NDArray[np.uint8]) -> Array:
    return np.asarray(levels / np.float32(255), np.float32)


def _mean(image: Array, weight: Array) -> Array:
    """The weighted mean colour, a picture (1, 1, 3)."""
    mean = (image * weight[..., None]).sum((0, 1), keepdims=True) / max(float(weight.sum()), 1e-6)
    return mean.astype(np.float32)


def _step(image: Array, alpha: Array, front: Array, back: Array) -> tuple[Array, Array]:
    """One step of Jacobi's method: at each pixel the two unknowns of each channel in terms of its neighbours'."""
    total = np.zeros(alpha.shape, np.float32)
    near_front, near_back = np.zeros_like(front), np.zeros_like(back)
    for shift in _SHIFTS:
        weight = _SMOOTHNESS + _GRADIENT_WEIGHT * np.abs(alpha - _moved(alpha, shift))
        total += weight
        near_front += weight[..., None] * _moved(front, shift)
        near_back += weight[..., None] * _moved(back, shift)
    # [a^2 + w, a b; a b, b^2 + w] [F; B] = [a I + w F'; b I + w B'] with b = 1 - a
    a, b, w = alpha[..., None], np.float32(1) - alpha[..., None], total[..., None]
    right_front, right_back = a * image + near_front, b * image + near_back
    determinant = w * (a * a + b * b + w)
    new_front = ((b * b + w) * right_front - a * b * right_back) / determinant
    new_back = ((a * a + w) * right_back - a * b * right_front) / determinant
    return np.clip(new_front, 0, 1).astype(np.float32), np.clip(new_back, 0, 1).astype(np.float32)


def _moved(x: Array, shift: tuple[int, int]) -> Array:
    """The neighbour's value at every pixel; the border is repeated."""
    down, right = shift
    padded = np.pad(x, ((1, 1), (1, 1)) + ((0, 0),) * (x.ndim - 2), mode="edge")
    return padded[1 + down : 1 + down + x.shape[0], 1 + right : 1 + right + x.shape[1]]
