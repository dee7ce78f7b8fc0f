"""Tells which pixels of a photo are the person, and how much of each.

MediaPipe's selfie segmentation gives a soft mask of 256 pixels. The fine matte takes from it only what is sure and
solves for the band between (`closed_form`), so that hair keeps its strands. The rough one fits the mask to the photo's
edges with a guided filter (He, Sun, Tang, 2010) and takes a tenth of the time.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.face.boxes import reduced
from backend_server.face.closed_form import closed_form_alpha
from backend_server.face.models import as_mediapipe, open_segmenter
from backend_server.face.native_logs import filtered_native_logs
from shared.errors import ImageError

_WORKING_SIDE = 768  # pixels; a larger photo is matted at this size, a smaller one at its own
_MASK_SIDE = 256  # pixels of the segmentation's own grid
_SURE = 0.1  # a mask nearer than this to 0 or 1 is sure, if the band does not reach it
# Pixels of the mask's grid, its error: strands of hair reach out further than gaps reach in.
_BAND_INSIDE, _BAND_OUTSIDE = 3.0, 4.0
_TRUST = 0.01  # of a sure mask inside the band
_LARGEST_BAND = 120_000  # pixels; a larger one is solved at half the size, which bounds memory and time
_HAZE = 0.06  # solved cover nearer than this to 0 or 1 comes from noise and textures

_RADIUS_OF_SIDE = 0.012  # of the larger side: about two pixels of the mask's grid
_SMOOTHNESS = 1e-4  # of the guided filter, as a variance of colours in [0, 1]
_FAINTEST, _FULLEST = 0.38, 0.85  # below and above, the mask counts as sure; fainter edges are mostly background

Mask = NDArray[np.float32]


def person_matte(image: NDArray[np.uint8], *, is_fine: bool = True) -> NDArray[np.uint8]:
    """Returns how much of each pixel is the person, u8 (H, W), of an image u8 (H, W, 3) RGB.

    Args:
        image: the photo.
        is_fine: solve for the edges; otherwise let them follow the photo roughly, which is faster.

    Raises:
        ImageError: the array is not an image.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"An image must be 8-bit RGB (H, W, 3), got {image.dtype} of shape {image.shape}.")
    small = np.ascontiguousarray(reduced(image, _WORKING_SIDE))
    mask = _segment(small)
    alpha = fine_alpha(small, mask) if is_fine else rough_alpha(small, mask)
    full = cv2.resize(alpha, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.round(full * 255).astype(np.uint8)


def fine_alpha(image: NDArray[np.uint8], mask: Mask) -> Mask:
    """Returns alpha f32 (H, W) in [0, 1] of `image` u8 (H, W, 3), solved where `mask` f32 (H, W) is not sure."""
    inside, outside = _sure(mask)
    is_doubtful = ~inside & ~outside
    if is_doubtful.sum() > _LARGEST_BAND:
        height, width = mask.shape
        half = (max(1, width // 2), max(1, height // 2))
        small_image, small_mask = (cv2.resize(x, half, interpolation=cv2.INTER_AREA) for x in (image, mask))
        alpha = fine_alpha(np.asarray(small_image, np.uint8), np.asarray(small_mask, np.float32))
        return np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    guess = np.where(inside, 1, np.where(outside, 0, mask)).astype(np.float32)
    trust = np.asarray(_TRUST * (0.01 + np.square(2 * guess - 1)), np.float32)
    alpha = closed_form_alpha(image, guess, is_doubtful, trust)
    return np.clip((alpha - _HAZE) / (1 - 2 * _HAZE), 0, 1)


def rough_alpha(image: NDArray[np.uint8], mask: Mask) -> Mask:
    """Returns alpha f32 (H, W) in [0, 1]: `mask` f32 (H, W) drawn to the edges of `image` u8 (H, W, 3)."""
    radius = max(2, round(_RADIUS_OF_SIDE * max(mask.shape)))
    # In bytes: on numbers in [0, 1] OpenCV's filter loses its precision and leaves a halo.
    refined = cv2.ximgproc.guidedFilter(  # pyright: ignore[reportAttributeAccessIssue]
        image, np.round(mask * 255).astype(np.uint8), radius, _SMOOTHNESS * 255**2
    )
    return np.clip((refined / 255 - _FAINTEST) / (_FULLEST - _FAINTEST), 0, 1).astype(np.float32)


def _sure(mask: Mask) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels are surely inside and which surely outside: those far from all that is doubtful in the mask."""
    pixel = max(2.5, max(mask.shape) / _MASK_SIDE)  # the mask of a smaller picture is no better
    inside = cv2.erode((mask > 1 - _SURE).astype(np.uint8), _disc(_BAND_INSIDE * pixel))
    possible = cv2.dilate((mask > _SURE).astype(np.uint8), _disc(_BAND_OUTSIDE * pixel))
    return inside > 0, possible == 0


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * round(radius) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _segment(image: NDArray[np.uint8]) -> Mask:
    with filtered_native_logs(), open_segmenter() as segmenter:
        masks = segmenter.segment(as_mediapipe(image)).confidence_masks or []
        return np.array(masks[0].numpy_view(), np.float32).reshape(image.shape[:2])
