"""What does a face do that does not listen, or only to how loud the speech is?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.evaluation.takes import Method, Motion, Take
from backend_server.retarget import retarget

WIDEST_JAW = 0.15  # canonical units, how far a jaw that follows the loudness opens


def static(take: Take) -> Motion:
    """The neutral face, still."""
    return np.repeat(take.neutral[None], len(take.real), axis=0)


def loudness(neutral_canonical: NDArray[np.float32]) -> Method:
    """A jaw that opens as loud as the speech is.

    Args:
        neutral_canonical: (68, 2) canonical units, the face whose jaw moves.
    """
    open_jaw = neutral_canonical.copy()
    open_jaw[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += WIDEST_JAW

    def method(take: Take) -> Motion:
        loud = loudness_curve(take.waveform, take.frame_times)[:, None, None]
        canonical = neutral_canonical + loud * (open_jaw - neutral_canonical)
        return retarget(canonical, neutral_canonical, take.neutral)

    return method


def loudness_curve(waveform: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Root mean square of 40 ms around each time (T,) over the loudest of the clip: (T,) in [0, 1]."""
    half = int(SAMPLE_RATE / CORPUS_FRAME_RATE / 2)
    centres = np.rint(times * SAMPLE_RATE).astype(int)
    windows = [waveform[max(c - half, 0) : c + half] for c in centres]
    levels = np.array([np.sqrt(np.mean(np.square(w))) if len(w) else 0.0 for w in windows], np.float32)
    return levels / max(float(levels.max()), 1e-9)
