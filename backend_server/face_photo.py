"""Keeps the square of a photo around a face with the photo's own pixels, which the crops of a learnt face lack.

It is kept as the bytes of a JPEG file, a tenth of its pixels, so that the file of a face stays small.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend_server.config import CROP_SIZE
from shared.errors import WeightsError
from shared.notes import Note, NoteCode
from shared.protocol import FACE_SIZES

if TYPE_CHECKING:
    from backend_server.identity import FaceReferences

MOST_PIXELS = max(FACE_SIZES)  # of a side
_ENOUGH = 0.75  # of a size, which the photo's face has to have
_COARSEST = 1.2  # pixels that are read for one that is made, above which they are averaged
_QUALITY = 95  # of the JPEG file, whose colours have all pixels too
_LONGEST_NAME = 255  # of what a note is about


def pixels_across(crop: NDArray[np.floating]) -> int:
    """How many pixels of its photo the square of a face has along a side; `crop` (2, 3) takes crop to photo pixels."""
    return round(CROP_SIZE * float(np.sqrt(abs(np.linalg.det(np.asarray(crop, np.float64)[:, :2])))))


def kept_photo(picture: NDArray[np.uint8], crop: NDArray[np.floating]) -> NDArray[np.uint8] | None:
    """The square of the face in a photo, (N,) bytes of a JPEG file; None where it has no more pixels than the crop.

    Args:
        picture: u8 (H, W, 3) RGB.
        crop: (2, 3), from pixels of the crop to pixels of the picture.
    """
    side = min(pixels_across(crop), MOST_PIXELS)
    if side <= CROP_SIZE:
        return None
    file = io.BytesIO()
    square = resampled(picture, np.asarray(crop, np.float64) @ _scaling(CROP_SIZE / side), side)
    Image.fromarray(square).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return np.frombuffer(file.getvalue(), np.uint8)


def opened_photo(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels of what `kept_photo` made, u8 (S, S, 3), S from 257 to 1024.

    Raises:
        WeightsError: the bytes are another file, or damaged.
    """
    try:
        with Image.open(io.BytesIO(content.tobytes()), formats=("JPEG",)) as image:
            width, height = image.size
            if width != height or not CROP_SIZE < width <= MOST_PIXELS or image.mode != "RGB":
                raise WeightsError(
                    f"the photo of the face has {width} x {height} pixels of the kind {image.mode!r}, not a square of "
                    f"{CROP_SIZE + 1} to {MOST_PIXELS} in RGB; learn the face again"
                )
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise WeightsError(f"the photo of the face cannot be read ({error}); learn the face again") from error


def photo_side(references: FaceReferences) -> int:
    """Pixels along a side of the photo's square that is kept; 0 if none is.

    Raises:
        WeightsError: it is damaged.
    """
    return 0 if references.photo is None else len(opened_photo(references.photo))


def square_at_size(references: FaceReferences, size: int) -> NDArray[np.uint8]:
    """The square of the first face at rest, u8 (size, size, 3), of the photo where that is kept, else of its crop.

    Raises:
        WeightsError: the kept photo is damaged.
    """
    square = references.crops[0] if references.photo is None else opened_photo(references.photo)
    return resampled(square, _scaling(len(square) / size)[:2], size)


def size_note(references: FaceReferences, size: int, name: str) -> tuple[Note, ...]:
    """That a face has too few pixels for a size, if so; `name` is that of its photo, or its own."""
    pixels = pixels_across(references.crop)
    fitting = max((one for one in FACE_SIZES if pixels >= _ENOUGH * one), default=CROP_SIZE)
    if size <= CROP_SIZE or (size <= fitting and references.photo is not None):
        return ()
    if fitting > CROP_SIZE and references.photo is None:
        sentence = (
            f"the face was learnt by an earlier version, which kept {CROP_SIZE} pixels a side alone, so size {size} "
            f"shows no more than size {CROP_SIZE}; learn it again from its photos"
        )
    else:
        why = f"the face has {pixels} pixels across, so size {size} shows no more than size {fitting}"
        sentence = f"{why}; give a larger photo"
    return (Note(NoteCode.FEW_PIXELS, sentence, name[:_LONGEST_NAME]),)


def resampled(picture: NDArray[np.uint8], transform: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """A square u8 (size, size, 3) of a picture u8 (H, W, 3), read at its own pixels; averaged where it has more.

    Args:
        picture: its border is repeated outside.
        transform: (2, 3), from pixels of the square to pixels of the picture.
        size: of the square, pixels a side.
    """
    coarseness = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if coarseness > _COARSEST:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 * coarseness), np.uint8)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(picture, transform, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(square, np.uint8)


def _scaling(factor: float) -> NDArray[np.float64]:
    """From pixels of a square to pixels of one that has `factor` times as many, (3, 3); corners fall on corners."""
    shift = (factor - 1) / 2  # as (0, 0) is the middle of the first pixel
    return np.array([[factor, 0, shift], [0, factor, shift], [0, 0, 1]])
