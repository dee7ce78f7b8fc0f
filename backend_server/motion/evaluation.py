"""Measures on the canonical face how well a motion generator follows real mouths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from backend_server.data.motion_examples import MotionExample
from backend_server.metrics.motion import MotionFigures, mean_figures, motion_figures
from backend_server.motion.generator import MotionGenerator
from backend_server.motion.sequence import motion_at

UNITS = 100  # distances are given in hundredths of the inter-ocular distance, about a pixel of the face crop


@torch.no_grad()
def evaluate_motion(generator: MotionGenerator, examples: Sequence[MotionExample], view: int = 0) -> MotionFigures:
    """Mean figures over examples, heard as the given view."""
    neutral = generator.neutral_canonical.cpu().numpy()
    figures = []
    for example in examples:
        heard, times = example.views[view], example.frame_times / example.views[view].speed
        generated = neutral + np.concatenate(list(motion_at(generator, [heard.features], times)))
        figures.append(motion_figures(UNITS * generated, UNITS * example.canonical))
    return mean_figures(figures)
