"""Finds the rough places of faces in an image, each with a score.

MediaPipe's face detector sees faces that stand upright or lean up to a right angle.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.face.models import as_mediapipe, open_detector
from backend_server.face.native_logs import filtered_native_logs

_WORKING_SIDE = 1024  # pixels; the model itself looks at 128
_LARGE_SHARE = 0.25  # of the picture's side: with a face of this size, smaller ones are not looked for
_HALVED_PIXELS = 64  # a half of a smaller picture holds no face that could be used
_TILE_SIDE_PIXELS = 320  # the search for small faces in a large image ends at tiles of this size
_LOWEST_SCORE = 0.6
_BLANK = np.zeros((64, 64, 3), np.uint8)


class Box(NamedTuple):
    """A detected face in image pixels: its centre, the larger side of its box, and the detector's score in [0, 1]."""

    x: float
    y: float
    side: float
    score: float


class BoxFinder:
    """MediaPipe's face detector; close it after use."""

    def __init__(self) -> None:
        with filtered_native_logs():
            self._detector = open_detector(_LOWEST_SCORE)
            self._detector.detect(as_mediapipe(_BLANK))  # it logs notes at its first picture

    def find(self, image: NDArray[np.uint8]) -> list[Box]:
        """Returns the distinct faces of `image` u8 (H, W, 3), the largest first.

        The model sees faces of at least a tenth of the picture's side; if none is large, it looks at halves too.
        """
        boxes, side = self._find_whole(image), max(image.shape[:2])
        if side >= _HALVED_PIXELS and all(box.side < _LARGE_SHARE * side for box in boxes):
            boxes += self._find_in_tiles(image, side // 2)
        return _distinct(boxes)

    def find_small(self, image: NDArray[np.uint8]) -> list[Box]:
        """Returns faces that are too small in a large image for `find`, by looking at ever smaller tiles of it."""
        boxes: list[Box] = []
        tile = max(image.shape[:2]) // 4
        while not boxes and tile >= _TILE_SIDE_PIXELS:
            boxes = self._find_in_tiles(image, tile)
            tile //= 2
        return _distinct(boxes)

    def _find_whole(self, image: NDArray[np.uint8]) -> list[Box]:
        small = reduced(image, _WORKING_SIDE)
        scale = np.divide(image.shape[:2], small.shape[:2])[::-1]
        boxes: list[Box] = []
        for face in self._detector.detect(as_mediapipe(small)).detections:
            corner = np.array([face.bounding_box.origin_x, face.bounding_box.origin_y])
            size = np.array([face.bounding_box.width, face.bounding_box.height])
            x, y = (corner + size / 2) * scale
            boxes.append(Box(float(x), float(y), float((size * scale).max()), float(face.categories[0].score or 0)))
        return boxes

    def _find_in_tiles(self, image: NDArray[np.uint8], tile: int) -> list[Box]:
        """Looks at squares of `tile` pixels that overlap by half."""
        boxes: list[Box] = []
        for top in range(0, max(1, image.shape[0] - tile // 2), tile // 2):
            for left in range(0, max(1, image.shape[1] - tile // 2), tile // 2):
                found = self._find_whole(image[top : top + tile, left : left + tile])
                boxes += [box._replace(x=box.x + left, y=box.y + top) for box in found]
        return boxes

    def close(self) -> None:
        """Frees the models."""
        with filtered_native_logs():
            self._detector.close()


def reduced(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Returns `image` with its larger side at most `side` pixels."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _distinct(boxes: list[Box]) -> list[Box]:
    """Keeps one of the boxes that show the same face, the largest first."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.side):
        if all(np.hypot(box.x - k.x, box.y - k.y) > k.side / 2 for k in kept):
            kept.append(box)
    return kept
