"""Where in an image are faces, roughly, and how sure is that?

MediaPipe Face Detection at both its ranges. It sees faces that stand upright or lean up to a right angle.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import mediapipe as mp
import numpy as np
from numpy.typing import NDArray

from backend_server.face.native_logs import filtered_native_logs

_WORKING_SIDE = 1024  # pixels; the models themselves look at 128 and 192
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
    """MediaPipe Face Detection; close it after use."""

    def __init__(self) -> None:
        with filtered_native_logs():
            self._ranges = [
                mp.solutions.face_detection.FaceDetection(  # pyright: ignore[reportAttributeAccessIssue]
                    model_selection=selection, min_detection_confidence=_LOWEST_SCORE
                )
                for selection in (0, 1)  # faces within 2 m, within 5 m
            ]
            for detection in self._ranges:
                detection.process(_BLANK)  # the models load, and note it, beside the constructor

    def find(self, image: NDArray[np.uint8]) -> list[Box]:
        """Returns the distinct faces of `image` u8 (H, W, 3), the largest first."""
        height, width = image.shape[:2]
        small = np.ascontiguousarray(reduced(image, _WORKING_SIDE))
        boxes: list[Box] = []
        for detection in self._ranges:
            for face in detection.process(small).detections or []:
                box = face.location_data.relative_bounding_box
                x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
                boxes.append(Box(x, y, max(box.width * width, box.height * height), float(face.score[0])))
        return _distinct(boxes)

    def find_small(self, image: NDArray[np.uint8]) -> list[Box]:
        """Returns faces that are too small in a large image for `find`, by looking at ever smaller tiles of it."""
        boxes: list[Box] = []
        tile = max(image.shape[:2]) // 2
        while not boxes and tile >= _TILE_SIDE_PIXELS:
            for top in range(0, max(1, image.shape[0] - tile // 2), tile // 2):
                for left in range(0, max(1, image.shape[1] - tile // 2), tile // 2):
                    found = self.find(image[top : top + tile, left : left + tile])
                    boxes += [box._replace(x=box.x + left, y=box.y + top) for box in found]
            tile //= 2
        return _distinct(boxes)

    def close(self) -> None:
        """Frees the models."""
        for detection in self._ranges:
            detection.close()


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
