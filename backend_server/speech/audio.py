"""Which bytes are sound, and how do they become the 16 kHz mono waveform that every network hears?"""

from __future__ import annotations

import logging
from dataclasses import dataclass
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

_LOG = logging.getLogger(__name__)


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
    if not path.exists():
        raise SoundError(f"there is no sound file {path}; check the path")
    if path.is_dir():
        raise SoundError(f"{path} is a folder; name one sound file inside it")
    if path.stat().st_size == 0:
        raise SoundError(f"{path} is empty (0 bytes); export the sound again")
    try:
        with soundfile.SoundFile(path) as file:
            _check_length(file.frames / file.samplerate, str(path))
            samples = file.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except soundfile.LibsndfileError:
        samples, rate = _read_container(path)
    if len(samples) == 0:
        raise SoundError(f"{path} holds no sound; export it again with an audio track")
    return AudioClip(np.ascontiguousarray(samples, dtype=np.float32), rate)


def _read_container(path: Path) -> tuple[NDArray[np.float32], int]:
    """Samples and rate of the first audio stream of a file that libsndfile cannot read."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise SoundError(f"{path} holds pictures but no sound; choose a file with an audio track")
            stream = container.streams.audio[0]
            rate = stream.rate
            resampler = AudioResampler(format="flt", layout="mono", rate=rate)
            blocks, count = [], 0
            for frame in container.decode(stream):
                blocks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
                count += len(blocks[-1]) if blocks else 0
                _check_length(count / rate, str(path))
            blocks += [part.to_ndarray()[0] for part in resampler.resample(None)]
    except (FFmpegError, OSError, ValueError) as error:
        _LOG.info("%s: %s", path, error)
        raise SoundError(f"{path} is not a sound file that can be read; use WAV, FLAC, MP3, Ogg or MP4") from error
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), rate


def _check_length(seconds: float, name: str) -> None:
    if seconds > LONGEST_SPEECH_SECONDS:
        raise SoundError(
            f"{name} lasts {seconds:.0f} s, longer than the limit of {LONGEST_SPEECH_SECONDS:.0f} s; cut it into pieces"
        )


def to_waveform(samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """A 16 kHz mono waveform (S,) within [-1, 1] of samples (S,) or (S, channels) at any rate.

    Raises:
        SoundError: the rate is not positive, or the array is not one sound of finite samples.
    """
    if sample_rate <= 0:
        raise SoundError(f"the sample rate is {sample_rate} Hz; it must be above 0")
    waveform = np.asarray(samples, dtype=np.float32)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    if waveform.ndim != 1:
        raise SoundError(f"the sound has shape {waveform.shape}; expected (samples,) or (samples, channels)")
    _check_finite(waveform)
    if sample_rate != SAMPLE_RATE:
        waveform = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(waveform.clip(-1.0, 1.0), dtype=np.float32)


def _check_finite(waveform: NDArray[np.float32]) -> None:
    broken = int(np.count_nonzero(~np.isfinite(waveform)))
    if broken:
        raise SoundError(f"{broken} samples of the sound are not numbers (NaN or infinite); export the sound again")


def check_speech(waveform: NDArray[np.float32]) -> None:
    """Refuses a 16 kHz waveform (S,) that cannot hold speech.

    Raises:
        SoundError: empty, too short, too long, not finite, or silent throughout.
    """
    if len(waveform) == 0:
        raise SoundError("the sound is empty (0 samples); choose a sound with speech")
    seconds = len(waveform) / SAMPLE_RATE
    if seconds < SHORTEST_SPEECH_SECONDS:
        raise SoundError(
            f"the sound lasts {seconds:.3f} s, below the limit of {SHORTEST_SPEECH_SECONDS} s; choose a longer one"
        )
    _check_length(seconds, "the sound")
    _check_finite(waveform)
    peak_db = 20.0 * np.log10(max(float(np.abs(waveform).max()), 1e-10))
    if peak_db < QUIETEST_SPEECH_DB:
        raise SoundError(
            f"the sound is silent: its peak is {peak_db:.0f} dBFS, below {QUIETEST_SPEECH_DB:.0f} dBFS; "
            "check the recording or raise its level"
        )


def write_wav(path: Path, samples: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> None:
    """Writes mono samples (S,) in [-1, 1] as 16-bit PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples, dtype=np.float32), sample_rate, subtype="PCM_16", format="WAV")
