"""How does long work say how far it is, and how is it stopped?

A stage calls `report(stage, step, steps)` between steps. Whoever wants the work to end raises
`shared.errors.Cancelled` from inside that call; nothing else is needed.
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
            Cancelled: the work shall end here.
        """


def silent(stage: str, step: int, steps: int) -> None:
    """Reports to nobody."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch of learning a face came to.

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
