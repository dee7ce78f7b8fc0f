"""Makes speech whispered or shouted: the mouth's filter is kept, what sounds in the throat is exchanged.

The filter is found by linear prediction (Atal & Hanauer 1971) in frames of 25 ms, so that the sounds stay where they
were: real whispering and shouting is longer and shaped otherwise, but then there would be no motion to compare with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import istft, lfilter, resample_poly, stft

from backend_server.speech.augmentation import Waveform

ORDER = 18  # of the prediction; two for each kilohertz and two more
FRAME, HOP = 400, 100  # samples of 16 kHz
WHISPER_DB = -20.0  # under the level of speech
SHOUT_PITCH = 1.4
SHOUT_TILT = 0.5  # of a first difference: high frequencies stand out
SHOUT_DRIVE = 2.0  # over full scale, bent back by a hyperbolic tangent, as an overdriven microphone does
_FINE = 1e-9  # added to the power of a frame, so that silence has a filter

Array = NDArray[np.floating]


def whispered(waveform: Waveform, random: np.random.Generator) -> Waveform:
    """Speech (S,), 16 kHz, with noise in place of the voice, as strong in each frame, and the whole 20 dB quieter."""
    breath = random.standard_normal(len(waveform))
    return (10.0 ** (WHISPER_DB / 20.0) * _with_source(waveform, lambda _: breath)).astype(np.float32)


def shouted(waveform: Waveform) -> Waveform:
    """Speech (S,), 16 kHz, with a voice 1.4 times as high, brighter, and louder than full scale."""
    raised = _with_source(waveform, lambda source: raise_pitch(source, SHOUT_PITCH))
    bright = lfilter([1.0, -SHOUT_TILT], [1.0], raised)
    loudest = max(float(np.abs(bright).max()), 1e-9)
    return np.tanh(SHOUT_DRIVE * np.asarray(bright) / loudest).astype(np.float32)


def raise_pitch(sound: Array, factor: float) -> Array:
    """A sound (S,) `factor` times as high and as long as before (a phase vocoder; Flanagan & Golden 1966)."""
    _, _, spectrum = stft(sound, nperseg=512, noverlap=384)
    steps = np.arange(0, spectrum.shape[1] - 1, 1.0 / factor)
    before = steps.astype(int)
    share = steps - before
    strength = (1 - share) * np.abs(spectrum[:, before]) + share * np.abs(spectrum[:, before + 1])
    turns = np.angle(spectrum[:, before + 1]) - np.angle(spectrum[:, before])
    phase = np.angle(spectrum[:, :1]) + np.cumsum(turns, axis=1) - turns[:, :1]
    _, stretched = istft(strength * np.exp(1j * phase), nperseg=512, noverlap=384)
    high = np.asarray(resample_poly(stretched, 100, round(100 * factor)))[: len(sound)]
    return np.pad(high, (0, len(sound) - len(high)))


def _with_source(waveform: Waveform, exchange: Callable[[Array], Array]) -> Array:
    """Speech (S,) whose source, of flat spectrum, is exchanged, but is as strong in each frame as it was."""
    padded = np.pad(np.asarray(waveform, np.float64), FRAME)
    window = np.hanning(FRAME + 1)[:-1]
    firsts = range(0, len(padded) - FRAME, HOP)
    pieces = [padded[first : first + FRAME] for first in firsts]
    filters = [_prediction(window * piece) for piece in pieces]
    source = _overlapped(
        [np.asarray(lfilter(one, [1.0], piece)) for one, piece in zip(filters, pieces, strict=True)], window
    )
    other = np.pad(exchange(source[FRAME:-FRAME]), FRAME)
    frames = []
    for first, one in zip(firsts, filters, strict=True):
        was, now = (window * part[first : first + FRAME] for part in (source, other))
        gain = np.sqrt(np.square(was).sum() / max(float(np.square(now).sum()), _FINE))
        frames.append(gain * np.asarray(lfilter([1.0], one, other[first : first + FRAME])))
    return _overlapped(frames, window)[FRAME : FRAME + len(waveform)]


def _prediction(frame: Array) -> Array:
    """The filter (ORDER + 1,), first value 1, that leaves of a windowed frame what cannot be predicted."""
    correlation = np.correlate(frame, frame, "full")[len(frame) - 1 : len(frame) + ORDER]
    correlation[0] = 1.0001 * correlation[0] + _FINE
    return np.concatenate([[1.0], -solve_toeplitz(correlation[:-1], correlation[1:])])


def _overlapped(frames: list[Array], window: Array) -> Array:
    """Frames a hop apart, windowed and added; four windows at a time sum to 2."""
    whole = np.zeros(HOP * (len(frames) - 1) + FRAME + HOP)
    for number, frame in enumerate(frames):
        whole[number * HOP : number * HOP + FRAME] += window * frame / 2
    return whole
