"""Reports the progress and the time of long work, and lets it be stopped.

A stage calls `report(stage, step, steps)` between steps. To end the work, that call raises
`shared.errors.Cancelled`; nothing else is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Progress(Protocol):
    """Receives the progress of one job."""

    def __call__(self, stage: str, step: int, steps: int) -> None:
        """Notes that `step` of `steps` of `stage` are done.

        Raises:
            Cancelled: the work must end here.
        """


def silent(stage: str, step: int, steps: int) -> None:
    """Reports to nobody."""


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch of learning a face.

    Attributes:
        number: from 1.
        loss: mean of its steps.
        held_out_psnr: dB on images kept back; None when there are none.
        neutral: l_p, the face at rest, (68, 2) pixels of the crop.
        render: landmarks (T, 68, 2) pixels of the crop to frames u8 (T, 256, 256, 4) of the network as it is now.
    """

    number: int
    loss: float
    held_out_psnr: float | None
    neutral: NDArray[np.float32]
    render: Callable[[NDArray[np.float32]], NDArray[np.uint8]]

    def __str__(self) -> str:
        quality = "" if self.held_out_psnr is None else f", held-out {self.held_out_psnr:.2f} dB"
        return f"loss {self.loss:.3f}{quality}"


EpochWatcher = Callable[[Epoch], None]  # may raise `Cancelled`, as progress may


class StageClock:
    """Passes progress on, measures how long each stage takes, and estimates the rest of the running one.

    A stage lasts from its first report to the first report of the next; the first stage starts with the clock.

    Args:
        onward: gets the same reports.
    """

    def __init__(self, onward: Progress = silent) -> None:
        self._onward = onward
        self._stage = ""
        self._began = self._noted = time.monotonic()
        self._first_step = 0
        self.seconds: dict[str, float] = {}
        self.seconds_left: float | None = None  # of the running stage; None while unknown

    def __call__(self, stage: str, step: int, steps: int) -> None:
        """Counts the time since the last call for the stage that was running."""
        self._count(self._stage or stage)
        if stage != self._stage:
            self._stage, self._began, self._first_step = stage, self._noted, step
        done = step - self._first_step
        self.seconds_left = (self._noted - self._began) / done * max(0, steps - step) if done > 0 else None
        self._onward(stage, step, steps)

    def stop(self) -> dict[str, float]:
        """Counts the time of the running stage up to now; returns the seconds of all stages."""
        if self._stage:
            self._count(self._stage)
        return self.seconds

    def _count(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._noted
        self._noted = now
