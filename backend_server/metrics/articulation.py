"""Measures whether a mouth does what the phones demand, whoever speaks and whatever the real mouth looked like.

These are the things that animators check: lips that close, the lower lip at the teeth, rounding, rest in pauses, and
nothing that moves long before it is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import BILABIALS, LABIODENTALS, ROUNDED, SILENCE, SPREAD, VOWELS, TimedPhone
from backend_server.metrics.figures import Figures, mean_of_numbers
from backend_server.metrics.landmarks import CLOSED_OPENING, inter_ocular, mouth_opening, mouth_width
from shared.errors import ShapeError
from shared.landmarks import LIPS

CONTACT_OPENING = 0.06  # of the eye distance; the lower lip at the upper teeth, which stand below the upper lip's edge
SHORTEST_PAUSE = 0.3  # seconds
AWAY_FROM_SPEECH = 0.12  # seconds at either end of a pause in which lips may still move
VISIBLE = 0.03  # of the eye distance; an opening that differs by more from the one at rest is seen

Array = NDArray[np.floating]


@dataclass(frozen=True)
class ArticulationFigures(Figures):
    """Figures of one clip, or their means over clips; NaN where no phone asks for it.

    Attributes:
        bilabial_closure: share of P, B, M in which the lips close.
        vowel_closure: share of vowels in whose middle the lips are closed; high for a mouth that never opens.
        labiodental_contact: share of F, V in which the lower lip comes to the teeth.
        rounding: mean mouth width of spread vowels minus that of rounded ones, in standard deviations of the width in
            speech; above 0 where rounded sounds are narrower.
        pause_closure: share of the frames of long pauses in which the lips are closed.
        pause_jitter: mean speed of the lips there, eye distances a second.
        onset_seconds: from the first visible motion to the first sound, negative when it comes later.
    """

    bilabial_closure: float
    vowel_closure: float
    labiodental_contact: float
    rounding: float
    pause_closure: float
    pause_jitter: float
    onset_seconds: float


def articulation_figures(
    phones: Sequence[TimedPhone],
    motion: Array,
    frame_times: NDArray[np.floating],
    rounded: frozenset[str] = ROUNDED,
) -> ArticulationFigures:
    """Figures of one clip.

    Args:
        phones: what is said when.
        motion: landmarks, (T, 68, 2), any unit.
        frame_times: seconds, (T,), ascending.
        rounded: the phones for which lips round.

    Raises:
        ShapeError: motion and times differ in length, or there are fewer than two frames.
    """
    if len(motion) != len(frame_times) or len(motion) < 2:
        raise ShapeError(f"expected two or more landmarks and as many times, got {len(motion)} and {len(frame_times)}")
    opening = mouth_opening(motion)
    times = np.asarray(frame_times, np.float64)
    in_pause = _in_pauses(phones, times)
    return ArticulationFigures(
        bilabial_closure=_reached(phones, BILABIALS, opening, times, CLOSED_OPENING),
        vowel_closure=_closed_vowels(phones, opening, times),
        labiodental_contact=_reached(phones, LABIODENTALS, opening, times, CONTACT_OPENING),
        rounding=_rounding(phones, rounded, mouth_width(motion), times),
        pause_closure=float((opening[in_pause] < CLOSED_OPENING).mean()) if in_pause.any() else np.nan,
        pause_jitter=_jitter(motion, times, in_pause),
        onset_seconds=_onset(phones, opening, times),
    )


def _within(times: NDArray[np.float64], begin: float, end: float) -> NDArray[np.bool_]:
    return (times >= begin) & (times <= end)


def _reached(
    phones: Sequence[TimedPhone], names: frozenset[str], opening: Array, times: NDArray[np.float64], threshold: float
) -> float:
    """Share of some phones in which the opening falls below a threshold, one frame early or late at most."""
    frame = float(np.median(np.diff(times)))
    near = [opening[_within(times, p.begin - frame, p.end + frame)] for p in phones if p.name in names]
    return mean_of_numbers(float(one.min() < threshold) for one in near if len(one))


def _closed_vowels(phones: Sequence[TimedPhone], opening: Array, times: NDArray[np.float64]) -> float:
    """Share of vowels in whose middle the lips are closed."""
    middles = [(phone.begin + phone.end) / 2 for phone in phones if phone.name in VOWELS]
    return float((np.interp(middles, times, opening) < CLOSED_OPENING).mean()) if middles else np.nan


def _rounding(phones: Sequence[TimedPhone], rounded: frozenset[str], width: Array, times: NDArray[np.float64]) -> float:
    widths: dict[bool, list[float]] = {True: [], False: []}
    for phone in phones:
        if phone.name in rounded or phone.name in SPREAD:
            middle = (phone.begin + phone.end) / 2
            widths[phone.name in rounded].append(float(np.interp(middle, times, width)))
    is_speech = np.zeros(len(times), bool)
    for phone in phones:
        is_speech |= (phone.name != SILENCE) & _within(times, phone.begin, phone.end)
    spread = float(width[is_speech].std()) if is_speech.any() else 0.0
    if not widths[True] or not widths[False]:
        return np.nan
    return float(np.mean(widths[False]) - np.mean(widths[True])) / spread if spread > 1e-12 else 0.0


def _pauses(phones: Sequence[TimedPhone]) -> list[tuple[float, float]]:
    """Begin and end of each stretch of silence."""
    pauses: list[tuple[float, float]] = []
    for phone in phones:
        if phone.name != SILENCE:
            continue
        if pauses and phone.begin <= pauses[-1][1]:
            pauses[-1] = (pauses[-1][0], phone.end)
        else:
            pauses.append((phone.begin, phone.end))
    return pauses


def _in_pauses(phones: Sequence[TimedPhone], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which frames lie in long pauses, away from speech, (T,)."""
    inside = np.zeros(len(times), bool)
    for begin, end in _pauses(phones):
        if end - begin > SHORTEST_PAUSE:
            first = begin if begin == phones[0].begin else begin + AWAY_FROM_SPEECH
            last = end if end == phones[-1].end else end - AWAY_FROM_SPEECH
            inside |= _within(times, first, last)
    return inside


def _jitter(motion: Array, times: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Mean speed of the lips' points between neighbouring frames that both lie inside."""
    steps = np.linalg.norm(np.diff(motion[:, LIPS], axis=0), axis=-1).mean(-1) / np.diff(times)
    eyes = inter_ocular(motion)
    both = inside[1:] & inside[:-1]
    return float((steps / eyes[1:])[both].mean()) if both.any() else np.nan


def _onset(phones: Sequence[TimedPhone], opening: Array, times: NDArray[np.float64]) -> float:
    """Seconds from the first frame that differs visibly from the first one to the first sound."""
    sound = next((phone.begin for phone in phones if phone.name != SILENCE), None)
    moved = np.flatnonzero(np.abs(opening - opening[0]) > VISIBLE)
    return float(sound - times[moved[0]]) if sound is not None and len(moved) else np.nan
