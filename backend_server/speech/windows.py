"""Which six samples of the scores does the motion network see around a moment (Section 4.2, Fig. 6 left)?

The paper reads six audio frames, about 198 ms. Here the scores are a continuous function of time, so that a window can
stand at exactly the time of any frame of any frame rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CONTEXT_FRAMES, CONTEXT_SPACING_SECONDS
from shared.errors import ShapeError

OFFSETS = (np.arange(CONTEXT_FRAMES) - (CONTEXT_FRAMES - 1) / 2) * CONTEXT_SPACING_SECONDS  # seconds, symmetric


def feature_windows(
    scores: NDArray[np.float32], scores_per_second: float, frame_times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Scores interpolated at six moments 33 ms apart, centred on each frame time.

    Args:
        scores: (U, C); score u speaks of second u / scores_per_second.
        scores_per_second: above 0.
        frame_times: (T,), seconds; before the first or after the last score the edge score stands.

    Returns:
        (T, 6, C).

    Raises:
        ShapeError: there are no scores, or the shapes are others.
    """
    if scores.ndim != 2 or len(scores) == 0:
        raise ShapeError(f"expected scores of shape (U, C) with U above 0, got {scores.shape}")
    if np.ndim(frame_times) != 1:
        raise ShapeError(f"expected frame times of shape (T,), got {np.shape(frame_times)}")
    times = np.asarray(frame_times, dtype=np.float64)[:, None] + OFFSETS  # (T, 6)
    positions = np.clip(times * scores_per_second, 0.0, len(scores) - 1)
    lower = np.minimum(positions.astype(np.int64), max(len(scores) - 2, 0))
    upper = np.minimum(lower + 1, len(scores) - 1)
    share = (positions - lower).astype(np.float32)[..., None]
    return (1.0 - share) * scores[lower] + share * scores[upper]
