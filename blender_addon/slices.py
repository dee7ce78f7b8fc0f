"""Runs work that is cut into slices, so that a window stays alive: a generator yields after each slice.

A slice takes well under 50 ms. What is yielded is the share that is done, 0 to 1; what is returned is the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")
Slices = Generator[float, None, Result]


def exhaust(slices: Generator[object, None, Result]) -> Result:
    """Does all the work before it returns, whatever it yields."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value


class Sliced(Generic[Result]):
    """Work that a timer goes on with; `result` is there when `is_over`.

    Args:
        slices: the work.
        clock: seconds.
    """

    def __init__(self, slices: Slices[Result], clock: Callable[[], float] = time.perf_counter) -> None:
        self._slices = slices
        self._clock = clock
        self.done = 0.0
        self.is_over = False
        self.result: Result | None = None

    def step(self, seconds: float = 0.02) -> bool:
        """Does slices for about this long, one at least; returns whether the work is over."""
        deadline = self._clock() + seconds
        while not self.is_over:
            try:
                self.done = next(self._slices)
            except StopIteration as end:
                self.result, self.done, self.is_over = end.value, 1.0, True
            if self._clock() >= deadline:
                break
        return self.is_over

    def cancel(self) -> None:
        """Ends the work; what it had begun is taken away again."""
        self._slices.close()
        self.is_over = True
