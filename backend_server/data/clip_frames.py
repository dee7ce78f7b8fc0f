"""Reads one video: its pictures with their times, and its sound.

Both streams are read by their time stamps; time 0 is the first sample of the sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE

LONGEST_SECONDS = 600.0  # of a training clip; longer videos must be cut first


class ClipRefused(Exception):  # noqa: N818 (an answer about a clip, not a failure of the program)
    """A video cannot be used for training; the message says why."""


@dataclass(frozen=True)
class ClipFrame:
    """One picture: seconds after the first sample of the sound, and its pixels u8 (H, W, 3)."""

    seconds: float
    image: NDArray[np.uint8]


def read_sound(video: Path) -> tuple[NDArray[np.int16], float]:
    """Returns the mono 16 kHz samples of a video and the time stamp (seconds) of the first one.

    Gaps in the stream's time stamps are filled with silence, so that sample n is always n / 16000 s after the first.

    Raises:
        ClipRefused: the video cannot be opened or has no sound.
    """
    try:
        with av.open(str(video)) as container:
            if not container.streams.audio:
                raise ClipRefused("it has no sound")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            blocks: list[NDArray[np.int16]] = []
            start, written = None, 0
            for frame in container.decode(container.streams.audio[0]):
                if frame.time is None:
                    continue
                start = frame.time if start is None else start
                missing = round((frame.time - start) * SAMPLE_RATE) - written
                if missing > SAMPLE_RATE // 20:  # the resampler itself holds back a few milliseconds
                    blocks.append(np.zeros(min(missing, int(LONGEST_SECONDS) * SAMPLE_RATE), np.int16))
                    written += len(blocks[-1])
                frame.pts = None  # the time stamps were handled above
                for part in resampler.resample(frame):
                    blocks.append(part.to_ndarray()[0])
                    written += len(blocks[-1])
            for part in resampler.resample(None):
                blocks.append(part.to_ndarray()[0])
    except (av.error.FFmpegError, ValueError) as error:
        raise ClipRefused(f"its sound cannot be read ({error})") from error
    if start is None or not blocks:
        raise ClipRefused("it has no sound")
    return np.concatenate(blocks), float(start)


def read_frames(video: Path, sound_start: float) -> Iterator[ClipFrame]:
    """Yields the pictures of a video in order of time, those before the sound's first sample left out.

    Args:
        video: the file.
        sound_start: time stamp of the first sample, seconds, as `read_sound` gives it.

    Raises:
        ClipRefused: the video has no picture, no time stamps, or ends early.
    """
    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise ClipRefused("it has no picture")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            last = -np.inf
            for frame in container.decode(stream):
                if frame.time is None:
                    raise ClipRefused("its pictures carry no time stamps")
                seconds = frame.time - sound_start
                if seconds > LONGEST_SECONDS:
                    raise ClipRefused(f"it is longer than {LONGEST_SECONDS:.0f} s")
                if seconds > max(last, -0.02):  # half a frame before the sound still belongs to it
                    last = seconds
                    yield ClipFrame(seconds, _upright(frame))
    except (av.error.FFmpegError, ValueError) as error:
        raise ClipRefused(f"its pictures cannot be read ({error})") from error


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Returns the picture as it must be shown: phones may store it turned and note the angle."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
