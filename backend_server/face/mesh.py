"""Places the 478 points of MediaPipe's face mesh on one face of an image or a video."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.face.models import as_mediapipe, open_landmarker
from backend_server.face.native_logs import filtered_native_logs

_FRAME_MILLISECONDS = 40  # between the time stamps of a video's frames; they only have to ascend


class FaceMesh:
    """MediaPipe's Face Landmarker; close it after use.

    Args:
        is_video: each image follows the one before, so the face is looked for where it was.
    """

    def __init__(self, *, is_video: bool) -> None:
        self._is_video = is_video
        self._open()

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Returns the mesh (478, 3) of the largest face, in pixels of `image` (z too), or None without one."""
        if self._has_seen_face:
            faces = self._detect(image)
        else:
            with filtered_native_logs():  # the models load, and log it, at the first face
                faces = self._detect(image)
            self._has_seen_face = bool(faces)
        if not faces:
            return None
        height, width = image.shape[:2]
        meshes = np.array([[(p.x, p.y, p.z) for p in face] for face in faces], np.float32)
        largest = meshes[np.ptp(meshes[..., :2], axis=1).sum(1).argmax()]
        # MediaPipe counts from the edge of the image, this program from the centre of the first pixel.
        return (largest * (width, height, width) - (0.5, 0.5, 0.0)).astype(np.float32)

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
            self._landmarker = open_landmarker(is_video=self._is_video)

    def _detect(self, image: NDArray[np.uint8]):  # noqa: ANN202 (lists of MediaPipe's landmarks)
        if not self._is_video:
            return self._landmarker.detect(as_mediapipe(image)).face_landmarks
        self._frames += 1
        return self._landmarker.detect_for_video(as_mediapipe(image), self._frames * _FRAME_MILLISECONDS).face_landmarks
