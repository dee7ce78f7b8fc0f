"""Defines the request for pictures of a face that moves as somebody wants, and not as a sound says; their sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .buffers import Buffer
from .landmarks import NAMES
from .message import MAX_FRAME_COUNT, Count, IdentityId, Message, bad_value, too_large

CROP_PIXELS = 256  # side of the crop in whose pixels landmarks are
FACE_SIZES = (CROP_PIXELS, 512, 1024)  # sides of pictures; the larger ones show the photo's own pixels
FARTHEST_PIXELS = CROP_PIXELS  # that a landmark may lie outside of the crop
FLATTEST_PIXELS = 1.0  # a face whose landmarks lie within less is no face


class RenderRequest(Message, frozen=True, kw_only=True, eq=False):
    """Asks for pictures of a learnt face with these landmarks, such as curves that an artist has changed."""

    BUFFERS = (Buffer("landmarks", "<f4", ("T", 68, 2)),)

    identity: IdentityId  # not empty
    size: Count = CROP_PIXELS  # of the pictures, pixels a side, one of `FACE_SIZES`
    landmarks: NDArray[
        np.float32
    ]  # (T, 68, 2) pixels of the crop, as in `LandmarkCurves`; a part of its frames will do

    def check(self) -> None:
        """Checks that there is a face, and that the landmarks are one in every frame."""
        if not self.identity:
            raise bad_value("pictures need a face that was learnt; name its identity")
        check_size(self.size)
        check_landmarks(self.landmarks)


def check_size(size: int) -> None:
    """Raises MessageError when pictures cannot have this size."""
    if size not in FACE_SIZES:
        raise bad_value(f"size is {size!r}; choose one of {', '.join(map(str, FACE_SIZES))}")


def check_landmarks(landmarks: NDArray[np.float32]) -> None:
    """Checks landmarks (T, 68, 2) in pixels of the crop.

    Raises:
        MessageError: they are too many or no numbers, one lies far outside of the crop, or a frame shows no face.
    """
    if len(landmarks) > MAX_FRAME_COUNT:
        raise too_large(f"{len(landmarks)} frames are too many; send at most {MAX_FRAME_COUNT}")
    is_finite = np.asarray(np.isfinite(landmarks).all(-1))
    if not is_finite.all():
        raise bad_value(f"{_place(is_finite)} has no place that is a finite number; give it one")
    is_inside = (landmarks >= -FARTHEST_PIXELS) & (landmarks <= CROP_PIXELS + FARTHEST_PIXELS)
    is_near = np.asarray(is_inside.all(-1))
    if not is_near.all():
        x, y = landmarks[~is_near][0]
        raise bad_value(
            f"{_place(is_near)} lies at ({x:.6g}, {y:.6g}), far outside of the face's {CROP_PIXELS} x {CROP_PIXELS} "
            "pixels; send pixels of the crop, as the backend sent them"
        )
    is_flat = (np.ptp(landmarks, axis=1) < FLATTEST_PIXELS).any(-1)
    if is_flat.any():
        raise bad_value(f"the landmarks of frame {int(np.argmax(is_flat))} lie on one line or point; send a whole face")


def _place(is_good: NDArray[np.bool_]) -> str:
    """The first bad landmark of (T, 68), in words."""
    frame, point = np.argwhere(~is_good)[0]
    return f"landmark {point} ({NAMES[point]}) of frame {frame}"
