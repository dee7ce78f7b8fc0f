"""Chooses the samples of the features that the motion network sees around a moment (Section 4.2, Fig. 6 left).

The paper reads six audio frames, about 198 ms. Here the features are a continuous function of time, so that a window
can stand at exactly the time of any frame of any frame rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CONTEXT_FRAMES, CONTEXT_SPACING_SECONDS
from shared.errors import ShapeError

BLOCK_FRAMES = 4096  # windows made at once


def window_offsets(context: int) -> NDArray[np.float64]:
    """Seconds of each moment of a window from its frame, (context,), symmetric."""
    return (np.arange(context, dtype=np.float64) - (context - 1) / 2) * CONTEXT_SPACING_SECONDS


def feature_windows(
    features: NDArray[np.float32],
    features_per_second: float,
    frame_times: NDArray[np.float64],
    context: int = CONTEXT_FRAMES,
) -> NDArray[np.float32]:
    """Features interpolated at moments 33 ms apart, centred on each frame time.

    Args:
        features: (U, C); feature u describes second u / features_per_second.
        features_per_second: above 0.
        frame_times: (T,), seconds; beyond the ends the nearest feature is repeated.
        context: how many moments.

    Returns:
        (T, context, C).

    Raises:
        ShapeError: there are no features, or a shape is wrong.
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
    return np.asarray((1 - share) * features[lower] + share * features[upper], np.float32)


def window_blocks(
    feature_blocks: Iterable[NDArray[np.float32]],
    features_per_second: float,
    frame_times: NDArray[np.float64],
    context: int = CONTEXT_FRAMES,
) -> Iterator[NDArray[np.float32]]:
    """`feature_windows` of features (n, C) that come in blocks: the same windows, (m, context, C) at a time.

    Features that no later frame needs are dropped, and none are asked for once every frame has its window.

    Args:
        feature_blocks: in their order.
        features_per_second: above 0.
        frame_times: (T,), seconds, ascending.
        context: how many moments.
    """
    reach = float(window_offsets(context)[-1])
    kept, first, done = np.zeros((0, 0), np.float32), 0, 0  # `first` is the number of the first feature kept

    def windows(end: int) -> Iterator[NDArray[np.float32]]:
        for begin in range(done, end, BLOCK_FRAMES):
            times = frame_times[begin : min(begin + BLOCK_FRAMES, end)] - first / features_per_second
            yield feature_windows(kept, features_per_second, times, context)

    for block in feature_blocks:
        kept = np.concatenate([kept, block]) if len(kept) else block
        heard = (first + len(kept) - 1) / features_per_second
        end = int(np.searchsorted(frame_times, heard - reach, side="right"))
        yield from windows(end)
        done = max(done, end)
        if done == len(frame_times):
            return
        spare = int((frame_times[done] - reach) * features_per_second) - 1 - first
        spare = min(max(spare, 0), len(kept) - 1)  # the last one is repeated after the sound
        kept, first = kept[spare:], first + spare
    yield from windows(len(frame_times))
