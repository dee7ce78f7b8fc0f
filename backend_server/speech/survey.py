"""Learns from a first hearing which channels of a sound hold it, how loud it is, and what of it is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.config import QUIETEST_SPEECH_DB
from backend_server.speech.tracks import SoundBlock, Track
from shared.channels import Heard, heard_channels
from shared.errors import SoundError
from shared.notes import Note, NoteCode

CLEARLY_ABOVE = 10 ** (1 / 20)  # 1 dB; MP3 and AAC exceed 1.0 by less where the original was loud
PEAKS_PER_SECOND = 100
CLICK_SHARE = 0.001  # of the peaks; what they alone exceed is a click, not the level
CLICK_FACTOR = 10.0  # 20 dB
LEAST_LOST_SECONDS = 0.1  # less is neither heard nor seen

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Mix:
    """How a sound becomes the one channel that is heard.

    Attributes:
        channels: those whose mean is heard.
        gain: 1, or less where samples lie beyond 1.0.
    """

    channels: tuple[int, ...] = (0,)
    gain: float = 1.0

    def __call__(self, samples: Samples) -> Samples:
        """Samples (S, channels) as the waveform (S,) that is heard."""
        if samples.shape[1] > 1:
            samples = samples[:, list(self.channels)].mean(1, keepdims=True)
        return self.scaled(samples)[:, 0]

    def scaled(self, samples: Samples) -> Samples:
        """Samples (S, channels) at the level that is heard, within [-1, 1]."""
        return np.clip(samples * np.float32(self.gain), -1.0, 1.0)


@dataclass(frozen=True)
class Survey:
    """What was learnt of a sound.

    Attributes:
        sample_rate: Hz, its own.
        channels: how many it has.
        sample_count: at its own rate.
        peak: its loudest sample.
        lost_seconds: of it that are missing or damaged.
        mix: how it is heard.
        heard: which channels.
        track: of the file it lies in; None where it is no file's.
    """

    sample_rate: int
    channels: int
    sample_count: int
    peak: float
    lost_seconds: float
    mix: Mix
    heard: Heard
    track: Track | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.sample_count / self.sample_rate

    @property
    def is_audible(self) -> bool:
        """Whether any sample of it is louder than silence."""
        return self.peak >= 10 ** (QUIETEST_SPEECH_DB / 20)

    def document(self) -> dict[str, object]:
        """What a report says of it: which track, how long, at which rate, how many channels."""
        track = self.track or Track(1, 1)
        return {
            "track": track.number,
            "of": track.count,
            "title": track.title,
            "language": track.language,
            "seconds": round(self.seconds, 3),
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "heard_channels": [channel + 1 for channel in self.mix.channels],
        }

    def notes(self, name: str = "") -> tuple[Note, ...]:
        """What the user should know; `name` is that of the file."""
        found = []
        if self.track is not None and self.track.number > 1:
            why = "the file's default" if self.track.is_default else "the first that is not silent"
            found.append(Note(NoteCode.OTHER_TRACK, f"{self.track} is heard: it is {why}", name))
        found += self.heard.notes(name)
        if self.peak > CLEARLY_ABOVE:
            decibels = 20 * np.log10(self.peak)
            sentence = f"its peak is {decibels:+.1f} dBFS, above full scale; it was scaled, so nothing is clipped"
            found.append(Note(NoteCode.SCALED_SOUND, sentence, name))
        if self.lost_seconds >= LEAST_LOST_SECONDS:
            sentence = (
                f"{self.lost_seconds:.1f} s of its {self.seconds:.1f} s are missing or damaged and count as silence; "
                "export the sound again if the face should speak there"
            )
            found.append(Note(NoteCode.DAMAGED_SOUND, sentence, name))
        return tuple(found)


class Surveyor:
    """Hears a sound block by block and remembers a few numbers of it."""

    def __init__(self) -> None:
        self._products: NDArray[np.float64] = np.zeros((0, 0))  # of every channel with every other, summed over time
        self._rate = 0
        self._count = 0
        self._peak_count = 0
        self._beyond: list[float] = []  # peaks above 1.0
        self._peak = 0.0
        self._lost = 0.0

    def add(self, block: SoundBlock) -> None:
        """Takes in what follows.

        Raises:
            SoundError: it holds samples that are not finite.
        """
        check_finite(block.samples)
        count, channels = block.samples.shape
        if self._rate == 0:
            self._rate, self._products = block.sample_rate, np.zeros((channels, channels))
        self._count += count
        self._lost += block.lost_seconds
        if count == 0:
            return
        double = block.samples.astype(np.float64)
        self._products += double.T @ double
        step = max(self._rate // PEAKS_PER_SECOND, 1)
        peaks = np.maximum.reduceat(np.abs(block.samples).max(1), np.arange(0, count, step))
        self._peak = max(self._peak, float(peaks.max()))
        self._peak_count += len(peaks)
        self._beyond += peaks[peaks > 1.0].tolist()

    def survey(self, track: Track | None = None) -> Survey:
        """What was learnt so far."""
        heard = heard_channels(self._products)
        mix = Mix(heard.channels, 1.0 / max(self._level(), 1.0))
        return Survey(
            self._rate, heard.channel_count, self._count, self._peak, self._lost, mix, heard=heard, track=track
        )

    def _level(self) -> float:
        """The loudest peak, but for clicks far above all others."""
        usual = sorted(self._beyond, reverse=True)[int(CLICK_SHARE * self._peak_count) + 1 :][:1]
        most = CLICK_FACTOR * max(usual[0] if usual else 1.0, 1.0)
        return self._peak if self._peak <= most else most / CLICK_FACTOR


def check_finite(samples: Samples) -> None:
    """Raises SoundError when samples are not numbers."""
    broken = int(np.count_nonzero(~np.isfinite(samples)))
    if broken:
        raise SoundError(f"{broken} samples of the sound are not numbers (NaN or infinite); export the sound again")
