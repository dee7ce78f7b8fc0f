"""Measures how well ARKit's shapes follow those that a face tracker scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.metrics.figures import Figures, mean_of_numbers
from backend_server.metrics.landmarks import correlation
from shared.arkit import SHAPES

Array = NDArray[np.float32]

MOUTH_SHAPES = tuple(name for name in SHAPES if name.startswith(("jaw", "mouth")))
MOVES = 0.003  # standard deviation of a real curve that moves; a correlation with less is one with the tracker's noise


@dataclass(frozen=True)
class ArkitFigures(Figures):
    """Figures of one clip, or their means; shapes of two sides count as the mean of both.

    Attributes:
        jaw_open: Pearson correlation of the curves; NaN where the real one does not move.
        mouth_close: the same.
        mouth_pucker: the same.
        mouth_funnel: the same.
        mouth_lower_down: the same.
        mouth_smile: the same.
        mouth_stretch: the same.
        mouth: the same over all shapes of jaw and mouth.
        error: mean absolute difference over these, in weight.
    """

    jaw_open: float
    mouth_close: float
    mouth_pucker: float
    mouth_funnel: float
    mouth_lower_down: float
    mouth_smile: float
    mouth_stretch: float
    mouth: float
    error: float


def arkit_figures(made: Array, real: Array) -> ArkitFigures:
    """Figures of one clip: weights of `shared.arkit.SHAPES`, made and real, (T, 52) each."""
    mouth = [SHAPES.index(name) for name in MOUTH_SHAPES]
    return ArkitFigures(
        jaw_open=_correlation(made, real, ["jawOpen"]),
        mouth_close=_correlation(made, real, ["mouthClose"]),
        mouth_pucker=_correlation(made, real, ["mouthPucker"]),
        mouth_funnel=_correlation(made, real, ["mouthFunnel"]),
        mouth_lower_down=_correlation(made, real, _both_sides("mouthLowerDown")),
        mouth_smile=_correlation(made, real, _both_sides("mouthSmile")),
        mouth_stretch=_correlation(made, real, _both_sides("mouthStretch")),
        mouth=_correlation(made, real, MOUTH_SHAPES),
        error=float(np.abs(made[:, mouth] - real[:, mouth]).mean()),
    )


def _both_sides(name: str) -> tuple[str, str]:
    return f"{name}Left", f"{name}Right"


def _correlation(made: Array, real: Array, names: Sequence[str]) -> float:
    """Mean correlation of the shapes of these names that really move; NaN when none does."""
    shapes = [SHAPES.index(name) for name in names]
    return mean_of_numbers(
        correlation(made[:, shape], real[:, shape]) if real[:, shape].std() > MOVES else float("nan")
        for shape in shapes
    )
