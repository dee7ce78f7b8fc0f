"""Finds when each phone of a known sentence is said.

Takes Viterbi's best path through the phones in order, with a pause allowed between any two (forced alignment). The
acoustic model's phone scores tell when, because it learned some of its phones with their times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import PHONES, SILENCE, TimedPhone, timed_phones
from shared.errors import ShapeError

SHORTEST_PAUSE = 0.08  # seconds; a shorter gap belongs to the phone before it


def align_phones(
    scores: NDArray[np.float32], phones: Sequence[str], scores_per_second: float
) -> tuple[tuple[TimedPhone, ...], float]:
    """Times of phones, without gaps, and how sure they are.

    Args:
        scores: before the softmax, (U, 42): the classes of `PHONES` and the blank.
        phones: names in order, without silences, at least one.
        scores_per_second: score u describes second u / scores_per_second.

    Returns:
        The phones and pauses from 0 to U / scores_per_second, and the mean logarithm of the path's probability.

    Raises:
        ShapeError: there are no phones, or more phones than scores.
    """
    if not phones or len(phones) > len(scores):
        raise ShapeError(f"expected between 1 and {len(scores)} phones for {len(scores)} scores, got {len(phones)}")
    logs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    gaps = np.logaddexp(logs[:, PHONES.index(SILENCE)], logs[:, -1])
    states = np.empty((len(logs), 2 * len(phones) + 1), np.float64)  # gap, phone, gap, phone ... gap
    states[:, 0::2] = gaps[:, None]
    states[:, 1::2] = logs[:, [PHONES.index(name) for name in phones]]
    path, total = best_path(states, (states.shape[1] - 1, states.shape[1] - 2))
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    events: list[tuple[float, tuple[str, ...]]] = []
    for start, end in zip(starts, [*starts[1:], len(path)], strict=True):
        seconds, state = max(float(start) - 0.5, 0.0) / scores_per_second, int(path[start])  # between two scores
        if state % 2:
            events.append((seconds, (phones[state // 2],)))
        elif not events or state == states.shape[1] - 1 or (end - start) / scores_per_second >= SHORTEST_PAUSE:
            events.append((seconds, ()))
    return timed_phones(events, len(scores) / scores_per_second), total / len(path)


def best_path(states: NDArray[np.float64], ends: Sequence[int]) -> tuple[NDArray[np.int64], float]:
    """The likeliest state at each moment, (U,), and the sum of its logarithms (Viterbi).

    Args:
        states: logarithms of probabilities, (U, 2 N + 1): gap, item, gap, item ... gap. The path begins in one of the
            first two; gaps may be skipped, items may not.
        ends: the states in which it may end.
    """
    count = states.shape[1]
    best = np.full(count, -np.inf)
    best[:2] = states[0, :2]
    steps = np.zeros(states.shape, np.int8)  # how many states back the best predecessor lies
    choices = np.full((3, count), -np.inf)
    for moment in range(1, len(states)):
        choices[0], choices[1, 1:], choices[2, 3::2] = best, best[:-1], best[1:-2:2]
        steps[moment] = choices.argmax(0)
        best = choices.max(0) + states[moment]
    last = ends[int(best[list(ends)].argmax())]
    path = np.empty(len(states), np.int64)
    path[-1] = last
    for moment in range(len(states) - 1, 0, -1):
        path[moment - 1] = path[moment] - steps[moment, path[moment]]
    return path, float(best[last])
