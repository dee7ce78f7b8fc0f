"""Finds the square of an image that is the face crop, and maps pixels and points between the two.

A transform is an affine (2, 3) that takes a crop pixel to a source pixel; (0, 0) is the centre of the top-left pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE
from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import LEFT_EYE, POINT_COUNT, RIGHT_EYE

SIDE_OF_BOX = 1.65  # side of the crop over the larger side of the landmark box: hair, ears and neck fit
RAISED_OF_SIDE = 0.08  # the box ends at the brows, the head does not
_EDGE_PIXELS = 2.0  # of the crop, over which a picture fades in from its edge

Points = NDArray[np.floating]


def crop_transform(landmarks: Points) -> NDArray[np.float32]:
    """Returns the transform (2, 3) of the face crop around `landmarks`: crop pixel to source pixel.

    A similarity: the eye line is level in the crop.

    Args:
        landmarks: (68, 2) pixels of the source image.

    Raises:
        ShapeError: not 68 points.
        ValueRangeError: the points have no extent.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (POINT_COUNT, 2):
        raise ShapeError(f"A face needs 68 points of 2 coordinates, got an array of shape {points.shape}.")
    eye_line = points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)
    length = float(np.hypot(*eye_line))
    if not length > 0:
        raise ValueRangeError("The two eyes of a face are at one point; check how its landmarks were placed.")
    cosine, sine = eye_line / length
    rotation = np.array([[cosine, -sine], [sine, cosine]])  # crop axes to source axes
    level = points @ rotation
    low, high = level.min(0), level.max(0)
    side = SIDE_OF_BOX * float((high - low).max())
    centre = (low + high) / 2 - (0.0, RAISED_OF_SIDE * side)
    matrix = rotation * (side / CROP_SIZE)
    offset = rotation @ centre - matrix @ np.full(2, (CROP_SIZE - 1) / 2)
    return np.column_stack([matrix, offset]).astype(np.float32)


def crop_image(image: NDArray[np.uint8], transform: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Returns the crop u8 (256, 256, 3) of `image` u8 (H, W, 3); beyond the image its border is repeated.

    A source with more pixels than the crop is blurred first, so that nothing aliases.
    """
    scale = _scale(transform)
    if scale > 1.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 * scale), np.uint8)
    crop = cv2.warpAffine(
        image,
        np.asarray(transform, np.float64),
        (CROP_SIZE, CROP_SIZE),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)


def crop_cut_out(
    image: NDArray[np.uint8], transform: NDArray[np.floating]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns colours u8 (256, 256, 3) and alpha u8 (256, 256) of the crop of `image` u8 (H, W, 4), straight alpha.

    Each pixel counts by its alpha, so colours under transparent pixels do not mix in; where all is transparent, black.
    """
    alpha = image[..., 3:].astype(np.uint16)
    weighted = np.concatenate([image[..., :3] * alpha, alpha * 255], axis=2)  # in 16 bits nothing is rounded
    scale = _scale(transform)
    if scale > 1.2:
        weighted = np.asarray(cv2.GaussianBlur(weighted, (0, 0), 0.4 * scale))
    crop = cv2.warpAffine(
        weighted,
        np.asarray(transform, np.float64),
        (CROP_SIZE, CROP_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,  # a cubic would overshoot at the person's edge
        borderMode=cv2.BORDER_REPLICATE,
    )
    cover = np.asarray(crop, np.float32) / 65025
    colours = np.rint(np.clip(255 * cover[..., :3] / np.maximum(cover[..., 3:], 1e-6), 0, 255)).astype(np.uint8)
    return colours, np.rint(255 * cover[..., 3]).astype(np.uint8)


def picture_cover(shape: tuple[int, ...], transform: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Returns which pixels of the crop lie in the picture, u8 (256, 256): 0 outside, 255 from two pixels inside on.

    Args:
        shape: of the picture, (H, W, ...).
        transform: of the crop.
    """
    places = to_source(np.stack(np.meshgrid(*[np.arange(CROP_SIZE, dtype=np.float64)] * 2), -1), transform)
    last = np.array([shape[1] - 1, shape[0] - 1])
    inside = np.minimum(places, last - places).min(-1) + 0.5  # source pixels from the nearest edge
    return np.rint(255 * np.clip(inside / (_EDGE_PIXELS * _scale(transform)), 0, 1)).astype(np.uint8)


def to_crop(points: Points, transform: NDArray[np.floating]) -> NDArray[np.float32]:
    """Takes source pixels (..., 2) to crop pixels."""
    matrix = np.asarray(transform, np.float64)
    return ((points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T).astype(np.float32)


def to_source(points: Points, transform: NDArray[np.floating]) -> NDArray[np.float32]:
    """Takes crop pixels (..., 2) to source pixels."""
    matrix = np.asarray(transform, np.float64)
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def _scale(transform: NDArray[np.floating]) -> float:
    """Source pixels per crop pixel."""
    return float(np.sqrt(abs(np.linalg.det(np.asarray(transform, np.float64)[:, :2]))))
