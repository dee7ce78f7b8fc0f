"""Sets how fast a training learns at each moment, and when it ends."""

from __future__ import annotations

import math
import time

from torch.optim import Optimizer

_WARM_UP = 0.05  # share of all steps
_LEAST = 0.05  # share of the full rate


def falling_from_the_middle(done: float) -> float:
    """Share of the full learning rate after a share of the training: full at first, falling to 0 from the middle."""
    return min(1.0, 2 * (1 - done))


def falling_cosine(done: float) -> float:
    """Share of the full learning rate after a share of the training: a quarter of a cosine down to a twentieth."""
    return _LEAST + (1 - _LEAST) * math.cos(math.pi / 2 * done)


def warmed_cosine(step: int, steps: int) -> float:
    """Share of the full learning rate at a step: linear warm-up, then half a cosine to zero."""
    done = step / steps
    if done < _WARM_UP:
        return (step + 1) / (_WARM_UP * steps + 1)
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def set_learning_rate(rate: float, *optimisers: Optimizer) -> None:
    """Sets the learning rate of all parameters."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


class Budget:
    """How much a training may use: updates, minutes, or both; it ends when either is used up.

    Args:
        updates: how many at most; None for any number.
        minutes: how many at most; None for any time.
        seconds: spent already, in earlier sessions.
    """

    def __init__(self, updates: int | None, minutes: float | None, seconds: float = 0.0) -> None:
        self._updates, self._minutes = updates, minutes
        self._started = time.monotonic() - seconds

    @property
    def seconds(self) -> float:
        """Spent so far, earlier sessions included."""
        return time.monotonic() - self._started

    def share(self, updates: int) -> float:
        """How much is spent after so many updates: 1 or more when the training must end."""
        of_updates = 0.0 if self._updates is None else updates / self._updates
        return of_updates if self._minutes is None else max(of_updates, self.seconds / (60 * self._minutes))


class Interval:
    """Tells when a time has passed, as between two checkpoints.

    Args:
        seconds: the time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restart()

    @property
    def is_over(self) -> bool:
        """Whether the time has passed since the beginning or the last restart."""
        return time.monotonic() - self._since > self._seconds

    def restart(self) -> None:
        """Starts the time again."""
        self._since = time.monotonic()
