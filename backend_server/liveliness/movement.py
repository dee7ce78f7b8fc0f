"""Moves head and brows: an answer to the voice, and wandering by chance.

Each channel is what the melody of the voice makes of it on average (a linear response over a second), plus a process
that wanders by itself (autoregressive, of second order), pushed by noise that the channels share, calmer where nobody
speaks. All of it is learnt from people who read sentences to a camera; how far such channels go in lively talk was
measured on people who talk.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from backend_server.liveliness.prosody import PROSODY, PROSODY_RATE
from backend_server.measured import read_measured, write_measured
from shared.head import POSE

CHANNELS = (*POSE, "right brow", "left brow")  # brows: raised by so many canonical units
SHIPPED = Path(__file__).with_name("movement.json")
LAGS = tuple(range(-15, 16, 3))  # moments of the melody that a moment of motion answers to
READING = 0.2  # the amount of liveliness of people who read
_KIND = "how heads and brows move"
_CALM = 0.5  # how far heads wander where nobody speaks
_SETTLE = 4 * PROSODY_RATE  # moments after which a process has forgotten its beginning
_SPEAKING_SECONDS = 0.3  # over which the change between speech and silence is spread

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Movement:
    """How heads and brows move.

    Attributes:
        response: of each channel to the melody at `LAGS`, (33, 8), in deviations.
        memory: by which a channel goes on from its last two moments, (8, 2).
        noise: that pushes the channels, from noise that is independent, (8, 8), in deviations.
        reading: what a deviation of each channel is with people who read to a camera, (8,).
        talk: the same in lively talk, (8,).
        melody: mean of the melody, (3,).
    """

    response: Array
    memory: Array
    noise: Array
    reading: Array
    talk: Array
    melody: Array

    def deviations(self, amount: float) -> Array:
        """How far the channels go, (8,): nowhere at 0, as in reading at `READING`, as in lively talk at 1."""
        if amount <= READING:
            return self.reading * (amount / READING)
        return self.reading + (self.talk - self.reading) * ((amount - READING) / (1 - READING))

    def draw(self, melody: NDArray[np.floating], seed: int) -> Array:
        """Motion at the moments of a melody, (U, 8), in `deviations`.

        The same seed wanders alike in recordings of all lengths.

        Args:
            melody: of `prosody`, (U, 3).
            seed: of the wandering.
        """
        answered = design(melody - self.melody) @ self.response
        pushed = np.random.default_rng(seed).standard_normal((_SETTLE + len(melody), len(CHANNELS))) @ self.noise.T
        wandering = [
            lfilter([1.0], [1.0, -first, -second], own)
            for (first, second), own in zip(self.memory, pushed.T, strict=True)
        ]
        speaking = gaussian_filter1d(
            melody[:, PROSODY.index("voiced")].astype(np.float64), _SPEAKING_SECONDS * PROSODY_RATE
        )
        calm = _CALM + (1 - _CALM) * np.minimum(2 * speaking, 1)
        return answered + calm[:, None] * np.stack(wandering, 1)[_SETTLE:]

    def save(self, path: Path, source: str) -> None:
        """Writes it, with what it was learnt from."""
        write_measured(path, _KIND, source, asdict(self))


def load_movement(path: Path = SHIPPED) -> Movement:
    """What `Movement.save` wrote.

    Raises:
        WeightsError: the file is missing, damaged, or of another kind.
    """
    count = len(CHANNELS)
    shapes = {
        "response": (len(LAGS) * len(PROSODY), count),
        "memory": (count, 2),
        "noise": (count, count),
        "reading": (count,),
        "talk": (count,),
        "melody": (len(PROSODY),),
    }
    return Movement(**read_measured(path, _KIND, shapes))


def design(melody: NDArray[np.floating]) -> Array:
    """The melody around each moment, (U, 3) -> (U, 33)."""
    reach = max(LAGS)
    smooth = gaussian_filter1d(np.asarray(melody, np.float64), 1.0, axis=0)
    padded = np.concatenate([smooth[:1].repeat(reach, 0), smooth, smooth[-1:].repeat(reach, 0)])
    return np.concatenate([padded[reach + lag : reach + lag + len(melody)] for lag in LAGS], 1)


def at_times(motion: Array, times: NDArray[np.float64]) -> Array:
    """Motion (U, C) read at seconds (T,), held beyond its ends."""
    if len(motion) < 2:
        return np.repeat(motion[:1], len(times), 0) if len(motion) else np.zeros((len(times), motion.shape[1]))
    moments = np.arange(len(motion)) / PROSODY_RATE
    return CubicSpline(moments, motion)(times.clip(0.0, moments[-1]))
