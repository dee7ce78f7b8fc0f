"""Where are the 478 points of MediaPipe's face mesh on one face of an image or a video?"""

from __future__ import annotations

import mediapipe as mp
import numpy as np
from numpy.typing import NDArray

from backend_server.face.native_logs import filtered_native_logs

_BLANK = np.zeros((64, 64, 3), np.uint8)


class FaceMesh:
    """MediaPipe Face Mesh with refined lips and lids; close it, or use it in a `with` statement.

    Args:
        is_video: each image follows the one before, so the face is looked for where it was.
    """

    def __init__(self, *, is_video: bool) -> None:
        self._has_seen_face = False
        with filtered_native_logs():
            self._solution = mp.solutions.face_mesh.FaceMesh(  # pyright: ignore[reportAttributeAccessIssue]
                static_image_mode=not is_video,
                max_num_faces=1,
                refine_landmarks=True,  # without it closed lips stay open and blinks are shallow
            )
            self._solution.process(_BLANK)  # the models load, and note it, beside the constructor

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Returns the mesh (478, 3) in pixels of `image` (z in the same scale), or None without a face."""
        result = self._process(np.ascontiguousarray(image)).multi_face_landmarks
        if not result:
            return None
        height, width = image.shape[:2]
        mesh = np.array([(p.x, p.y, p.z) for p in result[0].landmark], np.float32)
        # MediaPipe counts from the edge of the image, this program from the centre of the first pixel.
        return (mesh * (width, height, width) - (0.5, 0.5, 0.0)).astype(np.float32)

    def forget(self) -> None:
        """Ends a video: the next image is not taken as following the last."""
        with filtered_native_logs():
            self._solution.reset()
            self._solution.process(_BLANK)

    def close(self) -> None:
        """Frees the model."""
        self._solution.close()

    def _process(self, image: NDArray[np.uint8]):  # noqa: ANN202 (MediaPipe's result has no type)
        if self._has_seen_face:
            return self._solution.process(image)
        with filtered_native_logs():  # there is one more note at the first face
            result = self._solution.process(image)
        self._has_seen_face = bool(result.multi_face_landmarks)
        return result
