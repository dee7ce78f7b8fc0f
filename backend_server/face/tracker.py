"""Follows one face through the frames of a video.

The face mesh looks for the face where it was in the frame before. It does not see small faces in a large picture; then
the face detector says where to look, and the face mesh gets only that part of the picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend_server.face.boxes import Box, BoxFinder
from backend_server.face.mesh import FaceMesh, MeasuredFace

_REGION_OF_BOX = 4.0  # side of the part looked at over the side of the face: the head may move about in it


class FaceTracker:
    """Follows one face through the frames of a video; make one per process and close it after use.

    Args:
        scores_shapes: `measure` scores ARKit's blend shapes, too.
    """

    def __init__(self, *, scores_shapes: bool = False) -> None:
        self._mesh = FaceMesh(is_video=True, scores_shapes=scores_shapes)
        self._boxes = BoxFinder()
        self._region: tuple[slice, slice] | None = None

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Returns the mesh (478, 3) of the face in the next frame u8 (H, W, 3), in its pixels, or None."""
        face = self.measure(image)
        return None if face is None else face.mesh

    def measure(self, image: NDArray[np.uint8]) -> MeasuredFace | None:
        """Returns the face in the next frame u8 (H, W, 3), or None."""
        face = self._measure_in_region(image)
        if face is None:
            self._region = None
            face = self._measure_in_region(image)
        if face is None and (boxes := self._boxes.find(image)):
            self._region = _region_around(boxes[0], image)
            face = self._measure_in_region(image)
        return face

    def shows_others(self, image: NDArray[np.uint8]) -> bool:
        """Tells whether a second face in the frame is at least half as large as the largest."""
        boxes = self._boxes.find(image)
        return len(boxes) > 1 and boxes[1].side > boxes[0].side / 2

    def forget(self) -> None:
        """Ends a video: the next frame is the first of another."""
        self._region = None
        self._mesh.forget()

    def close(self) -> None:
        """Frees the models."""
        self._mesh.close()
        self._boxes.close()

    def _measure_in_region(self, image: NDArray[np.uint8]) -> MeasuredFace | None:
        if self._region is None:
            return self._mesh.measure(image)
        rows, columns = self._region
        face = self._mesh.measure(image[rows, columns])
        if face is None:
            return None
        return replace(face, mesh=(face.mesh + np.array([columns.start, rows.start, 0.0])).astype(np.float32))


def _region_around(box: Box, image: NDArray[np.uint8]) -> tuple[slice, slice]:
    half = _REGION_OF_BOX * box.side / 2
    height, width = image.shape[:2]
    top, bottom = max(0, round(box.y - half)), min(height, round(box.y + half))
    left, right = max(0, round(box.x - half)), min(width, round(box.x + half))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
