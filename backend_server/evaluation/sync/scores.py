"""Reads offset and confidence off the similarities of mouths and sounds, as SyncNet defines the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.metrics.figures import Figures
from shared.errors import ShapeError

REACH = 15  # frames to either side, as SyncNet's
OFFSETS = range(-REACH, REACH + 1)
NEAR = 1.0  # frames; an offset that is found so exactly counts as found


@dataclass(frozen=True)
class SyncFigures(Figures):
    """What is found of one film, or the means over films.

    Attributes:
        offset: frames by which the face is late; negative when it is early.
        found: share of the films whose offset lies within a frame of the true one.
        confidence: how far the best offset stands above the median one, in cosines; 0 when nothing tells.
    """

    offset: float
    found: float
    confidence: float


def similarity_curve(similarities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean similarity at each offset from -15 to 15 frames, (31,).

    At offset k every mouth is laid on the sound of k frames before; mouths and sounds without a partner do not count.

    Args:
        similarities: (T, T), mouths down, sounds across.

    Raises:
        ShapeError: the film is too short for the largest offset.
    """
    if len(similarities) <= REACH:
        raise ShapeError(f"expected a film of more than {REACH} judged moments, got {len(similarities)}")
    return np.array([np.diagonal(similarities, -offset).mean() for offset in OFFSETS], np.float64)


def sync_figures(curve: NDArray[np.floating], true_offset: int = 0) -> SyncFigures:
    """Offset and confidence of a curve over the offsets, (31,).

    SyncNet takes the distances of the two directions, and the median less the least; here it is the greatest cosine
    less the median one.
    """
    offset = float(np.argmax(curve) - REACH)
    return SyncFigures(offset, float(abs(offset - true_offset) <= NEAR), float(curve.max() - np.median(curve)))
