"""Do the lips of rendered frames stand where the driving landmarks put them?

The tracker that found the landmarks of the corpus looks for them in the frames anew. What it measures on real frames
is its own error: the corpus's videos had other pixels, and their landmarks were smoothed in time.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_server.face.mesh_points import landmarks_of_mesh
from backend_server.metrics.landmarks import landmark_distance
from backend_server.retarget import procrustes_align
from shared.errors import ShapeError
from shared.landmarks import POINT_COUNT, STABLE


class MeshFinder(Protocol):
    """What follows a face through the frames of a video, such as `FaceTracker`."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Returns the mesh (478, 3) of the face in the next frame u8 (H, W, 3), pixels, or None."""
        ...

    def forget(self) -> None:
        """Ends a video."""
        ...


def redetect(finder: MeshFinder, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks that the finder sees in u8 frames (T, H, W, 3), (T, 68, 2) pixels; NaN where it finds none."""
    finder.forget()
    meshes = [finder.find(frame) for frame in frames]
    lost = np.full((POINT_COUNT, 2), np.nan, np.float32)
    return np.array([lost if mesh is None else landmarks_of_mesh(mesh) for mesh in meshes], np.float32)


def heads_on(found: NDArray[np.floating], real: NDArray[np.floating]) -> NDArray[np.floating]:
    """Landmarks found in frames, each face turned, scaled and shifted onto the real one of that frame.

    What is left between the two is the motion of the face itself: sound does not tell how a head moves.

    Args:
        found: (T, 68, 2) pixels; frames of NaN stay so.
        real: of the same shape.

    Returns:
        (T, 68, 2) pixels of the real frames.
    """
    stable, is_found = list(STABLE), ~np.isnan(found).any(axis=(1, 2))
    moved = found.copy()
    if is_found.any():
        moved[is_found] = procrustes_align(found[is_found][:, stable], real[is_found][:, stable]).apply(found[is_found])
    return moved


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
