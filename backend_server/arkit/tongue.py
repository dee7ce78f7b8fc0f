"""Tells from the phones how far the tongue shows, which no face tracker scores.

TH and DH put its tip between the teeth, L shows it behind them, N, D and T a little of it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from backend_server.articulation.phones import PHONES
from shared.landmarks import INNER_LIP_PAIRS

# Shares of a tongue that is put out as far as it goes.
AMOUNTS = {"TH": 0.4, "DH": 0.4, "L": 0.2, "N": 0.08, "D": 0.08, "T": 0.08}
HOLD_SECONDS = 0.03  # a phone counts for so long before and after the moments in which it is heard
RISE_SECONDS = 0.03  # standard deviation of the Gaussian along time
WIDE_ENOUGH = 0.05  # canonical units between the inner lips, beyond which they do not hold the tongue back
UPPER_LIP, LOWER_LIP = INNER_LIP_PAIRS[1]  # the middles

Array = NDArray[np.float32]


def tongue_reach(probabilities: Array) -> Array:
    """How far the tongue is expected to show at each moment, (U,), 0 to the largest of `AMOUNTS`.

    Args:
        probabilities: of `PHONES`, then of anything else such as a blank, (U, at least 41), rows of sum 1.
    """
    amounts = np.zeros(probabilities.shape[1], np.float32)
    for phone, amount in AMOUNTS.items():
        amounts[PHONES.index(phone)] = amount
    return probabilities @ amounts


def tongue_out(
    reach: Array, moments_per_second: float, frame_times: NDArray[np.float64], smoothing_seconds: float = 0.0
) -> Array:
    """The weight of `tongueOut` at the frame times (T,): a smooth rise and fall around each phone.

    A phone is often heard in a single moment, while a tongue takes a tenth of a second; so each moment is held a
    little and rounded off by a Gaussian. No weight is larger than the largest reach.

    Args:
        reach: of `tongue_reach`, (U,); moment u is that of second u / moments_per_second.
        moments_per_second: above 0.
        frame_times: seconds; at rest outside the moments.
        smoothing_seconds: standard deviation of a further Gaussian.
    """
    if len(reach) == 0:
        return np.zeros(len(frame_times), np.float32)
    held = maximum_filter1d(reach, 2 * round(HOLD_SECONDS * moments_per_second) + 1, mode="constant")
    width = math.hypot(RISE_SECONDS, smoothing_seconds) * moments_per_second
    rounded = gaussian_filter1d(held.astype(np.float64), width, mode="constant")
    return np.interp(frame_times, np.arange(len(reach)) / moments_per_second, rounded, 0.0, 0.0).astype(np.float32)


def behind_lips(weights: Array, canonical: Array) -> Array:
    """Weights of `tongueOut` (T,), at most 1, held back where the lips of canonical landmarks leave it no room.

    Args:
        weights: at least 0.
        canonical: (T, 68, 2), canonical units.
    """
    gap = canonical[:, LOWER_LIP, 1] - canonical[:, UPPER_LIP, 1]
    return np.minimum(weights * np.clip(gap / WIDE_ENOUGH, 0, 1), 1).astype(np.float32)
