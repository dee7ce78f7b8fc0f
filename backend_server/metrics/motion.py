"""Measures how well a generated motion follows a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.metrics.figures import Figures
from backend_server.metrics.landmarks import (
    amplitude_ratio,
    closure_recall,
    correlation,
    direction_agreement,
    landmark_distance,
    mouth_opening,
    mouth_width,
    offset_frames,
    velocity_error,
)

ALL_POINTS = slice(0, 68)


@dataclass(frozen=True)
class MotionFigures(Figures):
    """Figures of one clip, or their means over clips; distances are in the unit of the landmarks.

    Attributes:
        opening_correlation: Pearson, mouth opening.
        width_correlation: Pearson, mouth width.
        opening_amplitude: spread of the opening over that of the real one.
        width_amplitude: the same of the width.
        lips_lmd: mean distance of the lip points.
        all_lmd: the same over all 68 points.
        velocity_error: the same for the lips' steps from frame to frame.
        direction_agreement: share of lip coordinates that rise together (Eq. 3 as printed).
        closure_recall: share of really closed frames that are closed; NaN when the real lips never close.
        offset_frames: delay of the opening at the best correlation, read between frames.
    """

    opening_correlation: float
    width_correlation: float
    opening_amplitude: float
    width_amplitude: float
    lips_lmd: float
    all_lmd: float
    velocity_error: float
    direction_agreement: float
    closure_recall: float
    offset_frames: float


def motion_figures(generated: NDArray[np.floating], real: NDArray[np.floating]) -> MotionFigures:
    """Figures of one clip: generated against real landmarks, both (T, 68, 2)."""
    opening, real_opening = mouth_opening(generated), mouth_opening(real)
    width, real_width = mouth_width(generated), mouth_width(real)
    return MotionFigures(
        opening_correlation=correlation(opening, real_opening),
        width_correlation=correlation(width, real_width),
        opening_amplitude=amplitude_ratio(opening, real_opening),
        width_amplitude=amplitude_ratio(width, real_width),
        lips_lmd=landmark_distance(generated, real),
        all_lmd=landmark_distance(generated, real, ALL_POINTS),
        velocity_error=velocity_error(generated, real),
        direction_agreement=direction_agreement(generated, real),
        closure_recall=closure_recall(opening, real_opening),
        offset_frames=offset_frames(opening, real_opening),
    )


def mean_figures(figures: Sequence[MotionFigures]) -> MotionFigures:
    """Mean of each figure over clips; clips without it do not count."""
    return MotionFigures.mean(figures)
