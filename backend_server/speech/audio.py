"""Reads sound and makes it the 16 kHz mono waveform that every network hears."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from backend_server.config import (
    LONGEST_SPEECH_SECONDS,
    QUIETEST_SPEECH_DB,
    SAMPLE_RATE,
    SHORTEST_SPEECH_SECONDS,
)
from shared.errors import SoundError

LOG = logging.getLogger(__name__)
BLOCK_SAMPLES = 2**16  # of a file, read at once


@dataclass(frozen=True)
class AudioClip:
    """Mono sound as it was recorded.

    Attributes:
        samples: f32 (S,), [-1, 1].
        sample_rate: Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.samples) / self.sample_rate


def read_audio(path: Path) -> AudioClip:
    """Reads the sound of any audio or video file, mixed to mono.

    Raises:
        SoundError: no such file, a folder, an empty file, no sound in it, or longer than the limit.
    """
    blocks = list(read_blocks(path))
    return AudioClip(np.concatenate([block.samples for block in blocks]), blocks[0].sample_rate)


def read_blocks(path: Path) -> Iterator[AudioClip]:
    """The sound of any audio or video file, mixed to mono, as clips of some seconds that follow one another.

    Raises:
        SoundError: as `read_audio`.
    """
    if not path.exists():
        raise SoundError(f"there is no sound file {path}; check the path")
    if path.is_dir():
        raise SoundError(f"{path} is a folder; name one sound file inside it")
    if path.stat().st_size == 0:
        raise SoundError(f"{path} is empty (0 bytes); export the sound again")
    count = 0
    for block in _sound_blocks(path):
        count += len(block.samples)
        check_length(count / block.sample_rate, str(path))
        yield block
    if count == 0:
        raise SoundError(f"{path} holds no sound; export it again with an audio track")


def _sound_blocks(path: Path) -> Iterator[AudioClip]:
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:
        yield from _container_blocks(path)
        return
    with file:
        check_length(file.frames / file.samplerate, str(path))
        try:
            for block in file.blocks(BLOCK_SAMPLES, dtype="float32", always_2d=True):
                yield AudioClip(np.ascontiguousarray(block.mean(axis=1)), file.samplerate)
        except soundfile.LibsndfileError as error:
            raise _unreadable(path, error) from error


def _container_blocks(path: Path) -> Iterator[AudioClip]:
    """The first audio stream of a file that libsndfile cannot read."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise SoundError(f"{path} holds pictures but no sound; choose a file with an audio track")
            stream = container.streams.audio[0]
            resampler = AudioResampler(format="flt", layout="mono", rate=stream.rate)
            parts, count = [], 0
            for frame in chain(container.decode(stream), [None]):  # None: what the resampler still holds
                parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
                count += len(parts[-1]) if parts else 0
                if parts and (count >= BLOCK_SAMPLES or frame is None):
                    yield AudioClip(np.concatenate(parts), stream.rate)
                    parts, count = [], 0
    except (FFmpegError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SoundError:
    LOG.info("%s: %s", path, error)
    return SoundError(f"{path} is not a sound file that can be read; use WAV, FLAC, MP3, Ogg or MP4")


def declared_seconds(path: Path) -> float:
    """How long a file says its sound is; 0 where it does not say."""
    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError:
        pass
    try:
        with av.open(str(path)) as container:
            return (container.duration or 0) / av.time_base
    except (FFmpegError, OSError, ValueError):
        return 0.0


def check_length(seconds: float, name: str) -> None:
    """Raises SoundError when a sound is longer than the limit."""
    if seconds > LONGEST_SPEECH_SECONDS:
        raise SoundError(
            f"{name} lasts {seconds:.0f} s, longer than the limit of {LONGEST_SPEECH_SECONDS:.0f} s; cut it into pieces"
        )


def to_waveform(samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """A 16 kHz mono waveform (S,) within [-1, 1] of samples (S,) or (S, channels) at any rate.

    Raises:
        SoundError: the rate is not positive, or the array is not one sound of finite samples.
    """
    check_rate(sample_rate)
    waveform = to_mono(samples)
    if sample_rate != SAMPLE_RATE:
        waveform = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(waveform.clip(-1.0, 1.0), dtype=np.float32)


def to_mono(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Samples (S,) or (S, channels) as the mean of their channels, (S,).

    Raises:
        SoundError: the array is not one sound of finite samples.
    """
    waveform = np.asarray(samples, dtype=np.float32)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    if waveform.ndim != 1:
        raise SoundError(f"the sound has shape {waveform.shape}; expected (samples,) or (samples, channels)")
    _check_finite(waveform)
    return waveform


def check_rate(sample_rate: int) -> None:
    """Raises SoundError when a sample rate is not positive."""
    if sample_rate <= 0:
        raise SoundError(f"the sample rate is {sample_rate} Hz; it must be above 0")


def _check_finite(waveform: NDArray[np.float32]) -> None:
    broken = int(np.count_nonzero(~np.isfinite(waveform)))
    if broken:
        raise SoundError(f"{broken} samples of the sound are not numbers (NaN or infinite); export the sound again")


def check_measures(sample_count: int, peak: float) -> None:
    """Refuses a 16 kHz waveform that cannot hold speech, by its length and its loudest sample.

    Raises:
        SoundError: empty, too short, too long, or silent throughout.
    """
    if sample_count == 0:
        raise SoundError("the sound is empty (0 samples); choose a sound with speech")
    seconds = sample_count / SAMPLE_RATE
    if seconds < SHORTEST_SPEECH_SECONDS:
        raise SoundError(
            f"the sound lasts {seconds:.3f} s, below the limit of {SHORTEST_SPEECH_SECONDS} s; choose a longer one"
        )
    check_length(seconds, "the sound")
    peak_db = 20.0 * np.log10(max(peak, 1e-10))
    if peak_db < QUIETEST_SPEECH_DB:
        raise SoundError(
            f"the sound is silent: its peak is {peak_db:.0f} dBFS, below {QUIETEST_SPEECH_DB:.0f} dBFS; "
            "check the recording or raise its level"
        )


def write_wav(path: Path, samples: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> None:
    """Writes mono samples (S,) in [-1, 1] as 16-bit PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples, dtype=np.float32), sample_rate, subtype="PCM_16", format="WAV")
