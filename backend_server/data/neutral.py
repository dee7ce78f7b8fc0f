"""Finds the face that a person shows at rest, without the jitter of the tracker.

The neutral shape l_p of a clip (Section 3.3) is the median of the frames in which the person is silent, the lips are
at the closed end of what the clip shows, and the eyes are open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from backend_server.config import SAMPLE_RATE
from backend_server.retarget import stabilise
from shared.landmarks import LEFT_EYE, RIGHT_EYE

_SMOOTHED = slice(0, 36)  # jaw, brows, nose; lips and lids move too fast to be smoothed
_FEWEST = 5  # frames of a median
_CLOSED_GAP = 0.02  # of the distance between the eyes: what a tracker sees between closed lips


def smooth(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Removes the tracker's jitter from jaw, brows and nose, (T, 68, 2): a local parabola over five frames.

    Lips and lids stay as tracked: a closure between two vowels lasts two frames.
    """
    if len(landmarks) < 5:
        return landmarks
    result = landmarks.copy()
    result[:, _SMOOTHED] = savgol_filter(landmarks[:, _SMOOTHED], 5, 2, axis=0)
    return result


def neutral_shape(
    landmarks: NDArray[np.float32], frame_times: NDArray[np.float64], sound: NDArray[np.int16]
) -> NDArray[np.float32]:
    """Returns the neutral landmarks (68, 2) of a clip, in the clip's median head position.

    Args:
        landmarks: (T, 68, 2) pixels.
        frame_times: (T,) seconds after the first sample.
        sound: (S,) at 16 kHz.
    """
    still = stabilise(landmarks, np.median(landmarks, axis=0))
    level = _sound_level_db(sound, frame_times)
    opening, eyes = _lip_opening(still), _eye_opening(still)
    is_open_eyed = eyes >= 0.85 * np.median(eyes)
    is_silent = level <= _silence_threshold_db(level)
    is_closed = opening <= np.percentile(opening, 5) + _CLOSED_GAP * _eye_distance(still)
    for candidates in (is_silent & is_open_eyed & is_closed, is_open_eyed & is_closed):
        chosen = np.flatnonzero(candidates)
        if len(chosen) >= _FEWEST:  # who breathes through the mouth in silence has closures in speech
            break
    else:
        chosen = np.argsort(opening, kind="stable")[:_FEWEST]
    count = max(_FEWEST, len(chosen) // 2)
    closed = chosen[np.argsort(opening[chosen], kind="stable")[:count]]
    return np.median(still[closed], axis=0).astype(np.float32)


def _silence_threshold_db(level: NDArray[np.float64]) -> float:
    """A quarter of the way from the clip's quiet to its loud frames."""
    quiet, loud = np.percentile(level, (10, 90))
    return float(quiet + 0.25 * (loud - quiet))


def _sound_level_db(sound: NDArray[np.int16], frame_times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level of the 120 ms around each frame, (T,) dB."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(sound.astype(np.float64) / 32768))])
    middle = np.round(frame_times * SAMPLE_RATE).astype(int)
    half = round(0.06 * SAMPLE_RATE)
    low, high = np.clip(middle - half, 0, len(sound)), np.clip(middle + half, 0, len(sound))
    power = (energy[high] - energy[low]) / np.maximum(high - low, 1)
    return np.asarray(10 * np.log10(power + 1e-9), np.float64)


def _eye_distance(landmarks: NDArray[np.float32]) -> float:
    """Median distance between the eye centres, pixels."""
    centres = landmarks[:, LEFT_EYE].mean(1) - landmarks[:, RIGHT_EYE].mean(1)
    return float(np.median(np.linalg.norm(centres, axis=-1)))


def _lip_opening(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean height of the inner lips, (T,) pixels."""
    return np.linalg.norm(landmarks[:, 61:64] - landmarks[:, [67, 66, 65]], axis=-1).mean(-1)


def _eye_opening(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean height of both eyes, (T,) pixels."""
    heights = [
        np.linalg.norm(landmarks[:, eye][:, [1, 2]] - landmarks[:, eye][:, [5, 4]], axis=-1)
        for eye in (RIGHT_EYE, LEFT_EYE)
    ]
    return np.asarray(np.mean(heights, axis=(0, 2)), np.float32)
