"""Makes noise for speech: steady noise and other people talking.

A level is a signal-to-noise ratio: mean power of the speech over mean power of the noise, in dB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Waveform = NDArray[np.float32]


def steady_noise(count: int, random: np.random.Generator) -> NDArray[np.floating]:
    """Noise (count,): white, or brighter or duller by a random one-pole filter."""
    return np.asarray(lfilter([1.0], [1.0, -random.uniform(-0.3, 0.95)], random.standard_normal(count)))


def babble(voices: Sequence[Waveform], count: int, talkers: int, random: np.random.Generator) -> Waveform:
    """`talkers` random voices at once, (count,), equally strong, each from a random moment on."""
    together = np.zeros(count, np.float32)
    for index in random.integers(len(voices), size=talkers):
        voice = np.resize(np.roll(voices[index], int(random.integers(len(voices[index])))), count)
        together += voice / max(float(np.sqrt(np.mean(np.square(voice)))), 1e-9)
    return together


def add_noise(waveform: Waveform, noise: NDArray[np.floating], snr_db: float) -> Waveform:
    """A waveform (S,) with noise (S,) at a signal-to-noise ratio."""
    speech_power, noise_power = (float(np.mean(np.square(part, dtype=np.float64))) for part in (waveform, noise))
    gain = np.sqrt(speech_power / max(noise_power, 1e-20) * 10.0 ** (-snr_db / 10.0))
    return (waveform + gain * noise).astype(np.float32)
