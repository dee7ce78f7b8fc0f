"""Puts each rendered face where it is shown: into its whole picture, or into a larger square. Without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Place(Protocol):
    """Takes rendered faces of one person, as `FullFrame` and `FaceAtSize` do."""

    def place(self, frame: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The picture of one frame.

        Args:
            frame: u8 (256, 256, 4).
            landmarks: l_t, (68, 2) pixels of the crop, that the frame was rendered with.
        """
        ...


def placed(
    chunks: Iterable[NDArray[np.uint8]], landmarks: NDArray[np.float32], place: Place | None
) -> Iterator[NDArray[np.uint8]]:
    """Each frame as it is made; the face itself, u8 (256, 256, 4), where it has no other place.

    Args:
        chunks: of faces (n, 256, 256, 4).
        landmarks: of all frames, (T, 68, 2).
        place: where faces go; None: nowhere.
    """
    faces = (face for chunk in chunks for face in chunk)
    for face, points in zip(faces, landmarks, strict=True):
        yield face if place is None else place.place(face, points)
