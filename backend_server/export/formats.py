"""Lists the formats of frames, and how much disk space each needs."""

from __future__ import annotations

from enum import StrEnum


class FrameFormat(StrEnum):
    """One file per frame (`png`, `exr`), or one film with sound; only `mp4` has no alpha."""

    PNG = "png"
    EXR = "exr"
    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"

    @property
    def is_film(self) -> bool:
        """Tells whether all frames are in one file."""
        return self not in (FrameFormat.PNG, FrameFormat.EXR)


_BYTES_PER_PIXEL = {  # generous, for frames of a photo
    FrameFormat.PNG: 2.5,
    FrameFormat.EXR: 6.0,
    FrameFormat.MP4: 0.0,
    FrameFormat.MOV: 3.0,
    FrameFormat.WEBM: 0.5,
}
_FILM_BYTES_PER_PIXEL = 0.5  # of the H.264 film that is always written


def bytes_per_frame(kind: FrameFormat, height: int, width: int) -> int:
    """A generous estimate of the disk space of one frame, with its share of the preview."""
    return int((_BYTES_PER_PIXEL[kind] + _FILM_BYTES_PER_PIXEL) * height * width)
