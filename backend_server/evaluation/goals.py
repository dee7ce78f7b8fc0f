"""Says which value a figure has to reach, and whether it does.

A goal compares one figure with a limit of the same definition: the same measure, on frames made in the same way. The
experiment that measures the figure makes its goals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

OURS = "ours"


@dataclass(frozen=True)
class Goal:
    """A figure with the value it has to reach.

    Attributes:
        name: what is measured, and on what.
        limit: the value.
        measured: what came out; NaN when it was not measured.
        is_least: whether the limit is the least good value; otherwise it is the most.
        most: the upper end where both ends count.
        source: who set the limit.
    """

    name: str
    limit: float
    measured: float
    is_least: bool = False
    most: float = math.inf
    source: str = OURS

    @property
    def is_reached(self) -> bool:
        """Whether the measured value is on the right side."""
        return self.limit <= self.measured <= self.most if self.is_least else self.measured <= self.limit

    @property
    def wanted(self) -> str:
        """The limit in words."""
        if self.is_least and self.most < math.inf:
            return f"{self.limit:g} to {self.most:g}"
        return f"{'at least' if self.is_least else 'at most'} {self.limit:g}"

    @property
    def outcome(self) -> str:
        """Whether the goal is reached, in words; a dash when nothing was measured."""
        return "–" if math.isnan(self.measured) else "yes" if self.is_reached else "no"
