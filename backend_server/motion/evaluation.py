"""Measures on the canonical face how well a motion generator follows real mouths."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from backend_server.data.motion_examples import MotionExample
from backend_server.metrics.motion import MotionFigures, mean_figures, motion_figures
from backend_server.motion.generator import MotionGenerator

UNITS = 100  # distances are given in hundredths of the inter-ocular distance, about a pixel of the face crop


@torch.no_grad()
def evaluate_motion(generator: MotionGenerator, examples: Sequence[MotionExample], view: int = 0) -> MotionFigures:
    """Mean figures over examples, heard as the given view."""
    device = next(generator.parameters()).device
    neutral = generator.neutral_canonical.cpu().numpy()
    figures = []
    for example in examples:
        features = torch.from_numpy(example.views[view].windows(example.frame_times, generator.config.context)).to(
            device
        )
        generated = neutral + generator(features).cpu().numpy()
        figures.append(motion_figures(UNITS * generated, UNITS * example.canonical))
    return mean_figures(figures)
