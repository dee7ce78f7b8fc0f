"""How does long work say how far it is, and how is it stopped?

A stage calls `report(stage, step, steps)` between steps. Whoever wants the work to end raises
`shared.errors.Cancelled` from inside that call; nothing else is needed.
"""

from __future__ import annotations

import time
from typing import Protocol


class Progress(Protocol):
    """Receives the progress of one job."""

    def __call__(self, stage: str, step: int, steps: int) -> None:
        """Notes that `step` of `steps` of `stage` are done.

        Raises:
            Cancelled: the work shall end here.
        """


def silent(stage: str, step: int, steps: int) -> None:
    """Reports to nobody."""


class StageClock:
    """Passes progress on and adds up how long each stage took.

    Args:
        onward: who else wants to know.
    """

    def __init__(self, onward: Progress = silent) -> None:
        self._onward = onward
        self._stage = ""
        self._since = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str, step: int, steps: int) -> None:
        """Counts the time since the last call for the stage that was running."""
        self.stop()
        self._stage = stage
        self._onward(stage, step, steps)

    def stop(self) -> None:
        """Counts the time of the running stage up to now."""
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now
