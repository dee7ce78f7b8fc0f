"""How do frames and sound become one film?"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SOUND_BIT_RATE = 128_000  # bits/s, AAC


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    frame_rate: Fraction,
    waveform: NDArray[np.float32],
    sample_rate: int,
    tags: dict[str, str],
) -> None:
    """Writes an MP4 of H.264 and AAC, frame and sound starting together.

    Args:
        path: the file to write.
        frames: pictures (H, W, 3), even height and width.
        frame_rate: frames a second.
        waveform: sound (S,), mono, [-1, 1].
        sample_rate: Hz.
        tags: text written into the file's metadata.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart+use_metadata_tags"}) as film:
        film.metadata.update(tags)
        picture_stream = film.add_stream("libx264", rate=frame_rate, options={"crf": "18", "preset": "veryfast"})
        sound_stream = film.add_stream("aac", rate=sample_rate)
        sound_stream.bit_rate = SOUND_BIT_RATE
        for number, picture in enumerate(frames):
            if number == 0:
                picture_stream.height, picture_stream.width = picture.shape[:2]
                picture_stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            frame.time_base = 1 / frame_rate
            film.mux(picture_stream.encode(frame))
        film.mux(picture_stream.encode())
        sound = av.AudioFrame.from_ndarray(waveform[None, :], format="fltp", layout="mono")
        sound.sample_rate = sample_rate
        sound.pts = 0
        film.mux(sound_stream.encode(sound))
        film.mux(sound_stream.encode())
