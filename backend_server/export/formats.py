"""In which formats can frames be kept, and how much room does each need?"""

from __future__ import annotations

from enum import StrEnum


class FrameFormat(StrEnum):
    """One file a frame (`png`, `exr`), or one film with sound; `mp4` alone has no alpha."""

    PNG = "png"
    EXR = "exr"
    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"

    @property
    def is_film(self) -> bool:
        """Are all frames in one file?"""
        return self not in (FrameFormat.PNG, FrameFormat.EXR)


_BYTES_A_PIXEL = {  # from above, of a photo's frames
    FrameFormat.PNG: 2.5,
    FrameFormat.EXR: 6.0,
    FrameFormat.MP4: 0.0,
    FrameFormat.MOV: 3.0,
    FrameFormat.WEBM: 0.5,
}
_FILM_BYTES_A_PIXEL = 0.5  # of the H.264 film that is always written


def bytes_a_frame(kind: FrameFormat, height: int, width: int) -> int:
    """How much room one frame takes on the disk, guessed from above; the preview's share is counted."""
    return int((_BYTES_A_PIXEL[kind] + _FILM_BYTES_A_PIXEL) * height * width)
