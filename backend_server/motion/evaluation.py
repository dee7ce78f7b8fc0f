"""How well does a motion generator follow real mouths?

Everything is measured on the canonical face; distances are given in hundredths of the eye distance, about a pixel of
the face crop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from backend_server.data.motion_examples import MotionExample
from backend_server.metrics import landmarks as metrics
from backend_server.motion.generator import MotionGenerator


@dataclass(frozen=True)
class MotionFigures:
    """Means over clips.

    Attributes:
        opening_correlation: Pearson, mouth opening.
        width_correlation: Pearson, mouth width.
        amplitude_ratio: spread of the generated opening over that of the real one.
        lip_distance: mean distance of the lip points, hundredths of the eye distance.
        still_distance: the same for a face that does not move.
        velocity_error: the same for their steps from frame to frame.
        direction_agreement: share of lip coordinates that rise together (Eq. 3 as printed).
        closure_recall: share of really closed frames that are closed.
        offset_frames: delay at the best correlation of the openings.
    """

    opening_correlation: float
    width_correlation: float
    amplitude_ratio: float
    lip_distance: float
    still_distance: float
    velocity_error: float
    direction_agreement: float
    closure_recall: float
    offset_frames: float

    def sentence(self) -> str:
        """All figures in a line."""
        return ", ".join(f"{name} {value:.3f}" for name, value in dataclasses.asdict(self).items())


def compare(generated: np.ndarray, target: np.ndarray, neutral_canonical: np.ndarray) -> MotionFigures:
    """Figures of one clip: generated and real canonical landmarks (T, 68, 2)."""
    opening, real_opening = metrics.mouth_opening(generated), metrics.mouth_opening(target)
    still = np.broadcast_to(neutral_canonical, target.shape)
    return MotionFigures(
        opening_correlation=metrics.correlation(opening, real_opening),
        width_correlation=metrics.correlation(metrics.mouth_width(generated), metrics.mouth_width(target)),
        amplitude_ratio=metrics.amplitude_ratio(opening, real_opening),
        lip_distance=100 * metrics.landmark_distance(generated, target),
        still_distance=100 * metrics.landmark_distance(still, target),
        velocity_error=100 * metrics.velocity_error(generated, target),
        direction_agreement=metrics.direction_agreement(generated, target),
        closure_recall=metrics.closure_recall(opening, real_opening),
        offset_frames=metrics.offset_frames(opening, real_opening),
    )


@torch.no_grad()
def evaluate_motion(generator: MotionGenerator, examples: Sequence[MotionExample], view: int = 0) -> MotionFigures:
    """Means over examples of what `compare` measures, heard as the given view."""
    device = next(generator.parameters()).device
    neutral = generator.neutral_canonical.cpu().numpy()
    figures = []
    for example in examples:
        features = torch.from_numpy(example.views[view].windows(example.frame_times)).to(device)
        figures.append(compare(neutral + generator(features).cpu().numpy(), example.canonical, neutral))
    names = [field.name for field in dataclasses.fields(MotionFigures)]
    return MotionFigures(**{name: _mean([getattr(f, name) for f in figures]) for name in names})


def _mean(values: list[float]) -> float:
    """Mean of the numbers among the values; NaN when there are none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
