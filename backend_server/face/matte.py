"""Which pixels of a photo are the person?

MediaPipe's selfie segmentation, whose model travels inside its wheel, gives a soft mask of 256 pixels; a guided filter
(He, Sun, Tang, 2010) carries it to the photo's own edges, so that hair does not end in a blur.
"""

from __future__ import annotations

import cv2
import mediapipe as mp
import numpy as np
from numpy.typing import NDArray

from backend_server.face.native_logs import filtered_native_logs
from shared.errors import ImageError

_WORKING_SIDE = 1024  # pixels; a larger photo is matted at this size
_RADIUS_OF_SIDE = 0.012  # of the larger side: about two pixels of the segmentation's own grid
_SMOOTHNESS = 1e-4  # of the guided filter, as a variance of colours in [0, 1]
_FAINTEST, _FULLEST = 0.38, 0.85  # doubt on either side counts as certainty; fainter edges are mostly background


def person_matte(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns how much of each pixel is the person, u8 (H, W), of an image u8 (H, W, 3) RGB.

    Raises:
        ImageError: the array is not an image.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"An image must be 8-bit RGB (H, W, 3), got {image.dtype} of shape {image.shape}.")
    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    mask = _segment(small)
    radius = max(2, round(_RADIUS_OF_SIDE * max(size)))
    # In bytes: on numbers in [0, 1] OpenCV's filter loses its precision and leaves a halo.
    refined = cv2.ximgproc.guidedFilter(  # pyright: ignore[reportAttributeAccessIssue]
        small, np.round(mask * 255).astype(np.uint8), radius, _SMOOTHNESS * 255**2
    )
    matte = np.clip((refined / 255 - _FAINTEST) / (_FULLEST - _FAINTEST), 0, 1)
    full = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.round(full * 255).astype(np.uint8)


def _segment(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    with (
        filtered_native_logs(),
        mp.solutions.selfie_segmentation.SelfieSegmentation(  # pyright: ignore[reportAttributeAccessIssue]
            model_selection=0  # the square model, 256 x 256
        ) as segmentation,
    ):
        return np.asarray(segmentation.process(np.ascontiguousarray(image)).segmentation_mask, np.float32)
