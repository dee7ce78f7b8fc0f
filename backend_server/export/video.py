"""How do frames and sound become one film?"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

SOUND_BIT_RATE = 128_000  # bits/s, AAC


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    frame_rate: Fraction,
    sound: Iterable[NDArray[np.float32]],
    sample_rate: int,
    tags: dict[str, str],
) -> None:
    """Writes an MP4 of H.264 and AAC, frame and sound starting together.

    Args:
        path: the file to write.
        frames: pictures (H, W, 3), even height and width.
        frame_rate: frames a second.
        sound: mono blocks (S,), [-1, 1], that follow one another; each is asked for when its first frame is reached.
        sample_rate: Hz.
        tags: text written into the file's metadata.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart+use_metadata_tags"}) as film:
        film.metadata.update(tags)
        picture_stream = film.add_stream("libx264", rate=frame_rate, options={"crf": "18", "preset": "veryfast"})
        sound_stream = film.add_stream("aac", rate=sample_rate)
        sound_stream.bit_rate = SOUND_BIT_RATE
        blocks, heard = iter(sound), 0
        for number, picture in enumerate(frames):
            if number == 0:
                picture_stream.height, picture_stream.width = picture.shape[:2]
                picture_stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            frame.time_base = 1 / frame_rate
            film.mux(picture_stream.encode(frame))
            while heard <= number / frame_rate * sample_rate and (block := next(blocks, None)) is not None:
                heard += _add_sound(film, sound_stream, block, heard)
        film.mux(picture_stream.encode())
        for block in blocks:
            heard += _add_sound(film, sound_stream, block, heard)
        film.mux(sound_stream.encode())


def _add_sound(film: OutputContainer, stream: AudioStream, block: NDArray[np.float32], first_sample: int) -> int:
    """Writes a block (S,) of the film's sound and returns its length."""
    sound = av.AudioFrame.from_ndarray(block[None, :], format="fltp", layout="mono")
    sound.sample_rate = stream.rate
    sound.pts = first_sample
    film.mux(stream.encode(sound))
    return len(block)
