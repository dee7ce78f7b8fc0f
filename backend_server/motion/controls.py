"""Smooths the motion that G_L makes, brings it to rest and enlarges it, when a user asks for it.

Pure functions on displacements (T, 68, 2) from the neutral face, canonical units: `smoothed` first, then `shaped`. Lead
needs no function: the motion is read at the frame times, so the cascade reads it that much later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.progress import Progress, silent
from shared.motion_controls import MotionControls

REACH = 4.0  # standard deviations, at which the Gaussian is cut
CLOSED_GAP = 0.01  # canonical units between the inner lips: about a pixel of the crop, practically closed
OPENING_SLOPE = 3.0  # after a closure, a smoothed mouth may open this many times as fast as the true one
BLOCK_FRAMES = 4096  # bounds the memory beside the result
UPPER_LIP, LOWER_LIP = 62, 66  # the middles of the inner lips

Array = NDArray[np.float32]


def lip_gap(landmarks: Array) -> Array:
    """Height between the middles of the inner lips, (...,), of landmarks (..., 68, 2); below 0 where they overlap."""
    return landmarks[..., LOWER_LIP, 1] - landmarks[..., UPPER_LIP, 1]


def smoothed(
    displacements: Array,
    frame_times: NDArray[np.float64],
    neutral: Array,
    seconds: float,
    progress: Progress = silent,
) -> Array:
    """Motion through a Gaussian along time, without delay and at any spacing of the frames.

    A frame counts for as long as it lasts, so frames that lie close together do not outweigh the rest. The mean of
    an open and a closed mouth is half open, and a lip closure is shorter than most Gaussians. So a smoothed frame
    whose lips are further apart than three times the true gap beyond `CLOSED_GAP` goes back towards the true frame
    until they are not: closed lips stay closed, and no frame goes back further than that needs.

    Args:
        displacements: (T, 68, 2), canonical units.
        frame_times: (T,) seconds, ascending.
        neutral: the face at rest, (68, 2), canonical units.
        seconds: standard deviation; 0 returns the displacements themselves.
        progress: told of every block of frames.
    """
    if seconds == 0 or len(displacements) < 2:
        return displacements
    spans = np.gradient(frame_times)
    result = np.empty_like(displacements)
    for first in range(0, len(displacements), BLOCK_FRAMES):
        times = frame_times[first : first + BLOCK_FRAMES]
        begin = np.searchsorted(frame_times, times[0] - REACH * seconds)
        end = np.searchsorted(frame_times, times[-1] + REACH * seconds, side="right")
        near = slice(int(begin), int(end))
        blurred = _blurred(displacements[near], frame_times[near], spans[near], times, seconds)
        frames = slice(first, first + len(times))
        result[frames] = _closed_again(blurred, displacements[frames], neutral)
        progress("smoothing", first + len(times), len(displacements))
    return result


def _blurred(
    values: Array, times: NDArray[np.float64], spans: NDArray[np.float64], wanted: NDArray[np.float64], seconds: float
) -> Array:
    """Gaussian means of values (N, 68, 2) at times and spans (N,), around the wanted times (W,)."""
    lowest = np.searchsorted(times, wanted - REACH * seconds)
    highest = np.searchsorted(times, wanted + REACH * seconds, side="right")
    total = np.zeros((len(wanted), *values.shape[1:]), np.float64)
    weights = np.zeros(len(wanted))
    for step in range(int((highest - lowest).max())):
        index = np.minimum(lowest + step, len(times) - 1)
        share = spans[index] * np.exp(-0.5 * ((times[index] - wanted) / seconds) ** 2) * (lowest + step < highest)
        total += share[:, None, None] * values[index]
        weights += share
    return (total / weights[:, None, None]).astype(np.float32)


def _closed_again(blurred: Array, true: Array, neutral: Array) -> Array:
    """Blurred displacements (W, 68, 2) brought so near to the true ones that no lip closure is lost."""
    rest = float(lip_gap(neutral))
    gap, blurred_gap = rest + lip_gap(true), rest + lip_gap(blurred)
    allowed = CLOSED_GAP + OPENING_SLOPE * np.maximum(gap - CLOSED_GAP, 0)
    excess = np.maximum(blurred_gap - allowed, 0)
    share = np.divide(excess, blurred_gap - gap, out=np.zeros_like(excess), where=excess > 0)
    return np.asarray(blurred + share[:, None, None] * (true - blurred), np.float32)


def shaped(displacements: Array, presence: Array | None, controls: MotionControls) -> Array:
    """Motion (T, ...) brought to rest where the presence of speech (T,) is 0, then multiplied by the intensity.

    Args:
        displacements: from rest, any unit; smoothed before, so that no motion is carried into a silence that is still.
        presence: 0 to 1; None where nothing is to be silenced.
        controls: `silence` and `intensity` are read.
    """
    if presence is not None:
        kept = 1 - controls.silence * (1 - presence)
        displacements = (displacements.T * kept.astype(np.float32)).T
    return np.float32(controls.intensity) * displacements
