"""Which samples of the features does the motion network see around a moment (Section 4.2, Fig. 6 left)?

The paper reads six audio frames, about 198 ms. Here the features are a continuous function of time, so that a window
can stand at exactly the time of any frame of any frame rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CONTEXT_FRAMES, CONTEXT_SPACING_SECONDS
from shared.errors import ShapeError


def window_offsets(context: int) -> NDArray[np.float64]:
    """Seconds of each moment of a window from its frame, (context,), symmetric."""
    return (np.arange(context) - (context - 1) / 2) * CONTEXT_SPACING_SECONDS


def feature_windows(
    features: NDArray[np.float32],
    features_per_second: float,
    frame_times: NDArray[np.float64],
    context: int = CONTEXT_FRAMES,
) -> NDArray[np.float32]:
    """Features interpolated at moments 33 ms apart, centred on each frame time.

    Args:
        features: (U, C); feature u speaks of second u / features_per_second.
        features_per_second: above 0.
        frame_times: (T,), seconds; before the first or after the last feature the edge stands.
        context: how many moments.

    Returns:
        (T, context, C).

    Raises:
        ShapeError: there are no features, or the shapes are others.
    """
    if features.ndim != 2 or len(features) == 0:
        raise ShapeError(f"expected features of shape (U, C) with U above 0, got {features.shape}")
    if np.ndim(frame_times) != 1:
        raise ShapeError(f"expected frame times of shape (T,), got {np.shape(frame_times)}")
    times = np.asarray(frame_times, dtype=np.float64)[:, None] + window_offsets(context)  # (T, context)
    positions = np.clip(times * features_per_second, 0.0, len(features) - 1)
    lower = np.minimum(positions.astype(np.int64), max(len(features) - 2, 0))
    upper = np.minimum(lower + 1, len(features) - 1)
    share = (positions - lower).astype(np.float32)[..., None]
    return (1.0 - share) * features[lower] + share * features[upper]
