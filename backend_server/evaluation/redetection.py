"""Do the lips of rendered frames stand where the driving landmarks put them?

A detector looks for the landmarks in the frames anew. What it measures on real frames is its own error: it sees each
frame alone, while landmarks of the corpus follow a video.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_server.face.detector import Face
from backend_server.metrics.landmarks import landmark_distance
from shared.errors import FaceError, NoFaceError, ShapeError
from shared.landmarks import POINT_COUNT


class LandmarkFinder(Protocol):
    """What finds the face of a single picture, such as `FaceDetector`."""

    def detect(self, image: NDArray[np.uint8]) -> Face:
        """Returns the face of `image` u8 (H, W, 3); raises NoFaceError or FaceError when none can be used."""
        ...


def redetect(finder: LandmarkFinder, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks that the finder sees in u8 frames (T, H, W, 3), (T, 68, 2) pixels; NaN where it finds none."""
    found = np.full((len(frames), POINT_COUNT, 2), np.nan, np.float32)
    for landmarks, frame in zip(found, frames, strict=True):
        try:
            landmarks[:] = finder.detect(frame).landmarks
        except (NoFaceError, FaceError):
            continue  # the frame keeps its NaN
    return found


def redetected_distance(found: NDArray[np.floating], driving: NDArray[np.floating]) -> float:
    """Lip LMD between landmarks found in frames and those that drove them (LMD, Section 4.2).

    Args:
        found: (T, 68, 2) pixels; frames of NaN do not count.
        driving: of the same shape.

    Returns:
        Pixels; NaN when no face was found.

    Raises:
        ShapeError: the shapes differ.
    """
    if found.shape != driving.shape:
        raise ShapeError(f"expected landmarks of one shape, got {found.shape} and {driving.shape}")
    is_found = ~np.isnan(found).any(axis=(1, 2))
    return landmark_distance(found[is_found], driving[is_found]) if is_found.any() else float("nan")
