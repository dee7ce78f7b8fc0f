"""Tells when somebody speaks, and when nobody does.

Speech raises groups of log-mel bands above their level in the clip's own pauses. Hum and hiss fill only some groups,
at the level of the pauses, so neither a gain nor steady noise changes the answer.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d, uniform_filter1d

from backend_server.config import SAMPLE_RATE
from backend_server.speech.features import FLOOR, HOP_SAMPLES, log_mel, speech_level

MOMENTS_PER_SECOND = SAMPLE_RATE / HOP_SAMPLES
BAND_GROUPS = 8
DECIBEL = np.float32(np.log(10) / 10)  # of power, in natural-log units
LISTENING_SECONDS = 0.1  # over which the level of a group is averaged: whole periods of hum
QUIET_PERCENTILE = 10  # of the levels of a group: the level of its pauses
NOISE_MARGIN = 2.0 * DECIBEL  # above the pauses; a smaller rise of a group does not count
LEAST_LIFT = 1.0 * DECIBEL  # root mean square over the groups; steady noise stays below it
LIFT_SHARE = 0.25  # of the lift of the clip's speech level, which a quiet sound must reach
HOLD_SECONDS = 0.2  # a sound counts for so long before its beginning and after its end
FADE_SECONDS = 0.1  # to either side of the end of the hold

Array = NDArray[np.float32]


def group_levels(mel: torch.Tensor) -> Array:
    """Log-mel frames (F, bands) as the levels of eight groups of bands, (F, 8), natural-log units."""
    return mel.unflatten(1, (BAND_GROUPS, -1)).mean(2).cpu().numpy()


def presence_track(levels: Array, speech_levels: Array, hold_seconds: float = HOLD_SECONDS) -> Array:
    """How much each moment belongs to speech, (F,), 100 a second: 1 within, 0 far from any, smooth between.

    A stop consonant is shorter than twice the hold and leaves the track at 1. A clip whose level never changes holds
    no speech.

    Args:
        levels: of groups of bands, (F, 8), from `group_levels`.
        speech_levels: of the clip's speech in these groups, (8,); what lies 43 dB below is silence.
        hold_seconds: a sound counts for so long before its beginning and after its end.
    """
    heard, quiet = _heard(levels, speech_levels)
    is_sound = _lift(heard, quiet) > max(LEAST_LIFT, LIFT_SHARE * _lift(speech_levels, quiet))  # (F,)
    hold, fade = (round(seconds * MOMENTS_PER_SECOND) for seconds in (hold_seconds, FADE_SECONDS))
    held = maximum_filter1d(is_sound.astype(np.float32), 2 * hold + 1)
    ramp = np.hanning(2 * fade + 3)[1:-1].astype(np.float32)
    return np.asarray(convolve1d(held, ramp / ramp.sum(), mode="nearest"), np.float32).clip(0, 1)


def _heard(levels: Array, speech_levels: Array) -> tuple[Array, NDArray[np.floating]]:
    """Levels (F, 8) averaged over time, and those of the pauses, (8,)."""
    levels = np.maximum(levels, speech_levels + FLOOR)
    if len(levels) > 8:
        levels[:2], levels[-2:] = levels[2:4], levels[-4:-2]  # the ends hear the edge of the sound
    span = round(LISTENING_SECONDS * MOMENTS_PER_SECOND)
    heard = np.asarray(uniform_filter1d(levels, span, axis=0), np.float32)
    return heard, np.percentile(heard, QUIET_PERCENTILE, axis=0)


def _lift(levels: Array, quiet: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far levels (..., 8) stand above the quiet, (...,): root mean square over the groups, natural-log units."""
    return np.sqrt((np.maximum(levels - quiet - NOISE_MARGIN, 0) ** 2).mean(-1))


def presence_at(track: Array, frame_times: NDArray[np.float64]) -> Array:
    """A presence track (F,) read at frame times (T,), seconds, which may lie outside it."""
    return np.interp(frame_times, np.arange(len(track)) / MOMENTS_PER_SECOND, track).astype(np.float32)


def speech_presence(waveform: Array, frame_times: NDArray[np.float64], hold_seconds: float = HOLD_SECONDS) -> Array:
    """How much each frame of a 16 kHz waveform (S,) belongs to speech, (T,): 1 within it, 0 far from any.

    It rises to 1 in the 0.2 s around the hold before a sound, so between 0.3 s and 0.1 s before it, and falls as long
    after it.
    """
    mel = log_mel(torch.as_tensor(waveform, dtype=torch.float32))
    levels, speech_levels = group_levels(mel), group_levels(speech_level(mel)[None])[0]
    return presence_at(presence_track(levels, speech_levels, hold_seconds), frame_times)
