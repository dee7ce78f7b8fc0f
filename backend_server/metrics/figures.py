"""Averages figures of the same kind over clips, and writes them on one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Figures:
    """Figures of one clip, or their means over clips; NaN where one does not exist. Every field is a number."""

    def sentence(self) -> str:
        """All figures on one line."""
        return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in asdict(self).items())

    @classmethod
    def mean(cls, figures: Sequence[Self]) -> Self:
        """Mean of each figure over clips; clips without it do not count."""
        return cls(
            **{field.name: mean_of_numbers(getattr(one, field.name) for one in figures) for field in fields(cls)}
        )


def mean_of_numbers(values: Iterable[float]) -> float:
    """Mean of the numbers among the values; NaN when there are none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
