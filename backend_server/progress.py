"""How does long work say how far it is, and how is it stopped?

A stage calls `report(stage, step, steps)` between steps. Whoever wants the work to end raises
`shared.errors.Cancelled` from inside that call; nothing else is needed.
"""

from __future__ import annotations

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
