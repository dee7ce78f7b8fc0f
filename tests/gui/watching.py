"""Measures, from outside, how long the add-on's steps take in a window, and when pictures come and are seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps


@dataclass
class Watch:
    """What was seen of one generation, in seconds of a clock that only rises.

    Attributes:
        steps: what was done -> of each step, its duration, and the time in which the processor worked for it, which
            other programs do not lengthen.
        came: when pictures came from the backend, the earliest first.
        drawn: when pictures were drawn in the viewport.
        errors: exceptions that passed through what is watched.
    """

    steps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    came: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def step_count(self) -> int:
        """How many steps there were, of all kinds."""
        return sum(len(taken) for taken in self.steps.values())

    def longest_milliseconds(self, kind: str) -> tuple[float, float]:
        """Duration of the longest step of a kind, and work of the busiest; 0 if there was none."""
        taken = self.steps.get(kind) or [(0.0, 0.0)]
        return round(1000 * max(wall for wall, _ in taken), 1), round(1000 * max(busy for _, busy in taken), 1)

    def delay_seconds(self) -> float | None:
        """From the first picture that came until one was drawn; None if none was."""
        seen = [moment for moment in self.drawn if self.came and moment >= self.came[0]]
        return round(seen[0] - self.came[0], 3) if seen else None

    def step(self, kind: Callable[[], str], function: Callable) -> Callable:
        """The function, with its duration noted under what `kind` says before it is called."""

        @wraps(function)
        def timed(*given: object, **named: object) -> object:
            name, start, busy = kind(), time.monotonic(), time.thread_time()
            try:
                return function(*given, **named)
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                raise
            finally:
                taken = (time.monotonic() - start, time.thread_time() - busy)
                self.steps.setdefault(name, []).append(taken)

        return timed

    def moment(self, moments: list[float], function: Callable, *, is_after: bool) -> Callable:
        """The function, with the moment before or after it noted."""

        @wraps(function)
        def noted(*given: object, **named: object) -> object:
            if not is_after:
                moments.append(time.monotonic())
            result = function(*given, **named)
            if is_after:
                moments.append(time.monotonic())
            return result

        return noted


def faults(log: str) -> list[str]:
    """The last line of every traceback in what Blender printed."""
    lines, found, is_open = log.splitlines(), [], False
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            is_open = True
        elif is_open and line and not line.startswith((" ", "\t")):
            found.append(line.strip())
            is_open = False
    return found
