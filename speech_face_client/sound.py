"""Makes the samples that a request carries from a file or an array.

WAV files of whole numbers are read by Python itself. Everything else needs the library soundfile, which the client does
not install.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._shared import channels, errors, notes


@dataclass(frozen=True)
class Sound:
    """One sound.

    Attributes:
        samples: f32 (S,), mono, beyond [-1, 1] where the sound is.
        sample_rate: Hz.
        notes: what the user should know of it.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    notes: tuple[notes.Note, ...] = ()

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate


def sound_of(sound: Path | str | NDArray[np.floating], sample_rate: int | None) -> Sound:
    """A sound from the path of a file, or from samples and their rate.

    Raises:
        SoundError: as `read_sound` and `mono`.
        ValueRangeError: samples lack their rate, or a file is given another.
    """
    if isinstance(sound, Path | str):
        if sample_rate is not None:
            raise errors.ValueRangeError("a sound file has its own sample rate; leave sample_rate out")
        return read_sound(Path(sound))
    if sample_rate is None:
        raise errors.ValueRangeError("samples need their sample_rate in Hz")
    return mono(np.asarray(sound), sample_rate)


def read_sound(path: Path) -> Sound:
    """Reads a file.

    Raises:
        SoundError: there is no such file, it cannot be read, or it needs a library that is not installed.
    """
    if not path.is_file():
        raise errors.SoundError(f"there is no sound file {path}; correct the path")
    try:
        samples, sample_rate = _read_wave(path)
    except (wave.Error, EOFError) as error:
        samples, sample_rate = _read_other(path, str(error))
    except OSError as error:
        raise errors.SoundError(f"the sound {path} cannot be read: {error.strerror}") from error
    return mono(samples, sample_rate, path.name)


def mono(samples: NDArray, sample_rate: int, name: str = "") -> Sound:
    """A sound from samples.

    Args:
        samples: floats (S,) or (S, channels).
        sample_rate: Hz.
        name: of the file, for notes.

    Raises:
        SoundError: the samples have another shape or type, or there are none.
    """
    if samples.ndim not in (1, 2) or not samples.size:
        raise errors.SoundError(f"expected samples of shape (S,) or (S, channels), got {samples.shape}")
    if not np.issubdtype(samples.dtype, np.floating):
        raise errors.SoundError(
            f"expected samples as floats in [-1, 1], got {samples.dtype}; divide them by their full scale"
        )
    values = samples.astype(np.float32)  # a copy: it is sent bit by bit, while the caller may use its array again
    if values.ndim == 1:
        return Sound(values, sample_rate)
    heard = channels.heard_channels(values.T @ values)
    return Sound(values[:, list(heard.channels)].mean(axis=1, dtype=np.float32), sample_rate, heard.notes(name))


def _read_wave(path: Path) -> tuple[NDArray[np.float32], int]:
    """Samples (S, channels) and rate; raises wave.Error when the file is no WAV of whole numbers."""
    with wave.open(str(path), "rb") as file:
        width, count, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        data = file.readframes(file.getnframes())
    whole = np.frombuffer(data[: len(data) // (width * count) * width * count], np.uint8).reshape(-1, width)
    if width == 1:
        values = whole[:, 0].astype(np.float32) - 128
    else:
        padded = np.zeros((len(whole), 4), np.uint8)  # the lowest bytes of little-endian 32 bits stay zero
        padded[:, 4 - width :] = whole
        values = padded.view("<i4")[:, 0].astype(np.float32) / np.float32(2 ** (32 - 8 * width))
    return (values / np.float32(2 ** (8 * width - 1))).reshape(-1, count), rate


def _read_other(path: Path, reason: str) -> tuple[NDArray[np.float32], int]:
    try:
        import soundfile  # noqa: PLC0415 (an option of the user's; WAV needs none)
    except ImportError as error:
        raise errors.SoundError(
            f"the sound {path} is no WAV of whole numbers ({reason}); install soundfile (pip install soundfile) to "
            "read it, or convert it"
        ) from error
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: it takes .raw for samples without a header
        raise errors.SoundError(f"the sound {path} cannot be read: {error}; convert it to WAV or FLAC") from error
    return np.asarray(samples, np.float32), int(rate)
