"""Hears how a voice stresses and sings what it says: loudness, pitch, and whether it is voiced, 25 times a second.

Pitch is the highest peak of the autocorrelation, divided by that of the window (Boersma 1993).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE

PROSODY_RATE = 25  # moments a second
PROSODY = ("loudness", "pitch", "voiced")
_HOP = SAMPLE_RATE // PROSODY_RATE
_WINDOW = 1024  # samples: two periods of the lowest pitch
_LAGS = slice(SAMPLE_RATE // 400, SAMPLE_RATE // 65)  # of voices from 400 down to 65 Hz
_OCTAVE_COST = 0.05  # for each octave down, as two periods are alike wherever one is
_LEAST_PERIODIC = 0.5  # of the autocorrelation at the pitch
_QUIET = 35.0  # dB below the loudest moment, where no pitch is believed
_LOUD_PERCENTILE = 90.0
_LOUDNESS_UNIT, _PITCH_UNIT = 10.0, 4.0  # dB, semitones
_MOST = ((-3.0, 1.0), (-2.0, 2.0))

Array = NDArray[np.float32]


def prosody(blocks: Iterable[Array]) -> Array:
    """The melody of a recording: (U, 3), of moments 0.04 s apart, from the first sample on.

    Loudness is that beside the loud tenth, in tens of dB; pitch that beside the voice's own median, in thirds of an
    octave, 0 where nothing is voiced; so neither depends on the recording's level or on who speaks.

    Args:
        blocks: of the waveform, 16 kHz mono.
    """
    measured = [_measure(windows) for windows in _windows(blocks)]
    if not measured:
        return np.zeros((0, len(PROSODY)), np.float32)
    loudness, pitch, periodic = (np.concatenate(parts) for parts in zip(*measured, strict=True))
    voiced = (periodic > _LEAST_PERIODIC) & (loudness > loudness.max() - _QUIET)
    middle = np.median(pitch[voiced]) if voiced.any() else 0.0
    raised = np.where(voiced, (pitch - middle) / _PITCH_UNIT, 0.0).clip(*_MOST[1])
    louder = ((loudness - np.percentile(loudness, _LOUD_PERCENTILE)) / _LOUDNESS_UNIT).clip(*_MOST[0])
    return np.stack([louder, raised, voiced], 1).astype(np.float32)


def _windows(blocks: Iterable[Array]) -> Iterator[Array]:
    """Windows (n, 1024) around the moments, as many at once as a block has."""
    kept = np.zeros(_WINDOW // 2, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        count = max((len(kept) - _WINDOW) // _HOP + 1, 0)
        if count:
            yield np.lib.stride_tricks.sliding_window_view(kept, _WINDOW)[: count * _HOP : _HOP]
            kept = kept[count * _HOP :]
    last = len(kept) - _WINDOW // 2  # samples after the next moment
    if last > 0:
        padded = np.pad(kept, (0, _WINDOW))
        yield np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:last:_HOP]


_TAPER = np.hanning(_WINDOW).astype(np.float32)
_OF_TAPER = np.fft.irfft(np.abs(np.fft.rfft(_TAPER, 2 * _WINDOW)) ** 2)[_LAGS]
_OF_TAPER = _OF_TAPER / np.square(_TAPER).sum()


def _measure(windows: Array) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Loudness in dB, pitch in semitones above 100 Hz, and how periodic each window is, 0 to 1."""
    power = np.square(windows).mean(1, dtype=np.float64)
    spectrum = np.fft.rfft(windows * _TAPER, 2 * _WINDOW)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)
    periodic = correlation[:, _LAGS] / np.maximum(correlation[:, :1], 1e-9) / _OF_TAPER
    best = (periodic - _OCTAVE_COST * np.log2(np.arange(_LAGS.start, _LAGS.stop))).argmax(1)
    pitch = 12 * np.log2(SAMPLE_RATE / (best + _LAGS.start) / 100)
    return 10 * np.log10(power + 1e-7), pitch, periodic[np.arange(len(best)), best]
