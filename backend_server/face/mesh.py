"""Places the 478 points of MediaPipe's face mesh on one face of an image or a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend_server.face.models import as_mediapipe, open_landmarker
from backend_server.face.native_logs import filtered_native_logs
from shared import arkit

if TYPE_CHECKING:
    from backend_server.face.models import FaceLandmarkerResult

_FRAME_MILLISECONDS = 40  # between the time stamps of a video's frames; they only have to ascend


@dataclass(frozen=True)
class MeasuredFace:
    """What the Face Landmarker says of one face.

    Attributes:
        mesh: f32 (478, 3), pixels of the image (z too).
        shapes: f32 (52,), scores of `arkit.SHAPES` from 0 to 1, tongueOut 0 as no model sees it; None if not asked for.
    """

    mesh: NDArray[np.float32]
    shapes: NDArray[np.float32] | None


class FaceMesh:
    """MediaPipe's Face Landmarker; close it after use.

    Args:
        is_video: each image follows the one before, so the face is looked for where it was.
        scores_shapes: `measure` scores ARKit's blend shapes, too.
    """

    def __init__(self, *, is_video: bool, scores_shapes: bool = False) -> None:
        self._is_video, self._scores_shapes = is_video, scores_shapes
        self._open()

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Returns the mesh (478, 3) of the largest face, in pixels of `image` (z too), or None without one."""
        face = self.measure(image)
        return None if face is None else face.mesh

    def measure(self, image: NDArray[np.uint8]) -> MeasuredFace | None:
        """Returns the largest face of an image u8 (H, W, 3), or None without one."""
        if self._has_seen_face:
            found = self._detect(image)
        else:
            with filtered_native_logs():  # the models load, and log it, at the first face
                found = self._detect(image)
            self._has_seen_face = bool(found.face_landmarks)
        if not found.face_landmarks:
            return None
        height, width = image.shape[:2]
        meshes = np.array([[(p.x, p.y, p.z) for p in face] for face in found.face_landmarks], np.float32)
        largest = int(np.ptp(meshes[..., :2], axis=1).sum(1).argmax())
        # MediaPipe counts from the edge of the image, this program from the centre of the first pixel.
        mesh = (meshes[largest] * (width, height, width) - (0.5, 0.5, 0.0)).astype(np.float32)
        return MeasuredFace(mesh, _shapes(found, largest) if self._scores_shapes else None)

    def forget(self) -> None:
        """Ends a video: the next image does not follow the last."""
        if self._frames:
            self.close()
            self._open()

    def close(self) -> None:
        """Frees the model."""
        with filtered_native_logs():
            self._landmarker.close()

    def _open(self) -> None:
        self._frames = 0
        self._has_seen_face = False
        with filtered_native_logs():
            self._landmarker = open_landmarker(is_video=self._is_video, scores_shapes=self._scores_shapes)

    def _detect(self, image: NDArray[np.uint8]) -> FaceLandmarkerResult:
        if not self._is_video:
            return self._landmarker.detect(as_mediapipe(image))
        self._frames += 1
        return self._landmarker.detect_for_video(as_mediapipe(image), self._frames * _FRAME_MILLISECONDS)


def _shapes(found: FaceLandmarkerResult, face: int) -> NDArray[np.float32]:
    scores = {shape.category_name: shape.score for shape in found.face_blendshapes[face]}
    return np.array([scores.get(name, 0.0) for name in arkit.SHAPES], np.float32)
