"""Shows a rendered face with more pixels than the networks paint: the photo's own, moved by the same flow.

It is `full_frame` for the square of the face alone, with the render's alpha. Where the photo itself has fewer pixels,
nothing is gained, and a note says so.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE
from backend_server.identity import FaceReferences
from backend_server.texture.full_frame import FullFrame
from backend_server.texture.warping.following import Following
from shared.notes import Note, NoteCode

SIZES = (256, 512, 1024)  # pixels a side
_ENOUGH = 0.75  # of a size, which the photo's face has to have
_COARSEST = 1.2  # photo's pixels for one of the size, above which they are averaged


class FaceAtSize:
    """Makes faces of one person larger.

    Args:
        picture: from which the first crop was cut, u8 (H, W, 3) RGB.
        references: of the person; their `crop` takes crop pixels to pixels of `picture`.
        rendered: the face rendered with the landmarks of the first crop, u8 (256, 256, 3 or 4).
        following: of the generator that rendered it.
        size: of the result, pixels a side.
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        references: FaceReferences,
        rendered: NDArray[np.uint8],
        following: Following,
        size: int,
    ) -> None:
        self.size = size
        scale = size / CROP_SIZE
        enlarging = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])  # the middles of pixels
        crop = np.asarray(references.crop, np.float64)
        from_size = np.column_stack([crop[:, :2] / scale, crop[:, 2] + crop[:, :2] @ np.full(2, (1 / scale - 1) / 2)])
        cut = _cut(picture, from_size, size)
        weight = np.ones((CROP_SIZE, CROP_SIZE), np.float32)
        moved = replace(references, crop=enlarging.astype(np.float32))
        self._face = FullFrame(cut, moved, rendered, following, weight)

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


def size_note(references: FaceReferences, size: int, name: str) -> tuple[Note, ...]:
    """That a photo has too few pixels for a size, if so."""
    pixels = round(CROP_SIZE * float(np.sqrt(abs(np.linalg.det(np.asarray(references.crop)[:, :2])))))
    if pixels >= _ENOUGH * size:
        return ()
    fitting = max((one for one in SIZES if pixels >= _ENOUGH * one), default=SIZES[0])
    sentence = (
        f"the face of {name} has {pixels} pixels across, so --size {size} shows no more than --size {fitting}; give a "
        "larger photo"
    )
    return (Note(NoteCode.FEW_PIXELS, sentence, name),)


def _cut(picture: NDArray[np.uint8], from_size: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """The square of the face, read at the photo's own pixels; averaged where it has more than the result."""
    coarseness = float(np.sqrt(abs(np.linalg.det(from_size[:, :2]))))
    if coarseness > _COARSEST:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 * coarseness), np.uint8)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(picture, from_size, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
