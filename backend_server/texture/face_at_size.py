"""Shows a rendered face with more pixels than the networks paint: the photo's own, moved by the same flow.

It is `full_frame` for the square of the face alone, which the learnt face keeps, with the render's alpha. Where the
photo itself has fewer pixels, nothing is gained, and `face_photo.size_note` says so.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE
from backend_server.face_photo import square_at_size
from backend_server.identity import FaceReferences
from backend_server.texture.full_frame import FullFrame
from backend_server.texture.warping.following import Following


class FaceAtSize:
    """Makes faces of one person larger.

    Args:
        references: of the person.
        rendered: the face rendered with the landmarks of the first crop, u8 (256, 256, 3 or 4).
        following: of the generator that rendered it.
        size: of the result, pixels a side.
    """

    def __init__(
        self,
        references: FaceReferences,
        rendered: NDArray[np.uint8],
        following: Following,
        size: int,
    ) -> None:
        self.size = size
        scale = size / CROP_SIZE
        enlarging = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])  # the middles of pixels
        weight = np.ones((CROP_SIZE, CROP_SIZE), np.float32)
        moved = replace(references, crop=enlarging.astype(np.float32))
        self._face = FullFrame(square_at_size(references, size), moved, rendered, following, weight)

    def place(self, frame: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The face of one frame, u8 (size, size, 4), RGB and straight alpha.

        Args:
            frame: u8 (256, 256, 4), cut out.
            landmarks: l_t, (68, 2) pixels of the crop, that the frame was rendered with.

        Raises:
            ShapeError: the frame has another shape.
        """
        moved = self._face.place(frame, landmarks).astype(np.float32)
        large = cv2.resize(frame, (self.size, self.size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        share = large[..., 3:] / 255  # half transparent hair has colours that were freed of the background
        colours = share * moved + (1 - share) * large[..., :3]
        return np.rint(np.concatenate([colours, large[..., 3:]], -1).clip(0, 255)).astype(np.uint8)
