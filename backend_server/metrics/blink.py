"""Measures how often, how long and how fully eyes blink.

"We detect eye blinks using a sharp drop in EAR signal. Blink duration is calculated as the number of consecutive
frames between the start and end of the sharp drop in the EAR" (Section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from backend_server.metrics.landmarks import eye_aspect_ratio
from shared.landmarks import EYE_REGION

Array = NDArray[np.floating]

BASELINE_SECONDS = 2.0  # the open eye is the median of this span: longer than two blinks, shorter than a gaze shift
DEPTH = 0.3  # a drop by this share of the open eye, or more, is a blink
EDGE = 0.1  # a blink begins and ends where the drop passes this share
LONGEST_SECONDS = 1.0  # eyes shut for longer are not blinking


@dataclass(frozen=True)
class Blinks:
    """The blinks in one EAR curve.

    Attributes:
        starts: first frame of each blink, (B,).
        ends: the frame after its last, (B,).
        depths: largest drop as a share of the open eye, (B,), 1 = the lids meet.
        seconds: length of the curve.
        durations: seconds, (B,); a blink cut off by an end of the curve has NaN.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    depths: Array
    seconds: float
    durations: Array

    @property
    def rate(self) -> float:
        """Blinks a second."""
        return len(self.starts) / self.seconds if self.seconds else 0.0


def blink_curves(displacements: Array, neutral_canonical: Array) -> Array:
    """EAR of the canonical face under eye-region displacements.

    Args:
        displacements: (..., 22, 2), canonical units.
        neutral_canonical: (68, 2).

    Returns:
        (...,), mean of both eyes.
    """
    landmarks = np.broadcast_to(neutral_canonical, (*displacements.shape[:-2], *neutral_canonical.shape)).copy()
    landmarks[..., list(EYE_REGION), :] += displacements
    return eye_aspect_ratio(landmarks)


def relative_drop(ear: Array, frame_rate: float) -> Array:
    """How far an EAR curve (T,) lies under its own open eye, (T,), as a share of it."""
    span = min(round(BASELINE_SECONDS * frame_rate) | 1, 2 * len(ear) - 1)
    open_eye = np.maximum(median_filter(ear, size=span, mode="nearest"), np.median(ear))
    return 1 - ear / np.maximum(open_eye, 1e-6)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def find_blinks(ear: Array, frame_rate: float) -> Blinks:
    """Finds the sharp drops of an eye aspect ratio curve.

    Args:
        ear: eye aspect ratio, (T,), mean of both eyes.
        frame_rate: frames a second.
    """
    drop = relative_drop(ear, frame_rate)
    found = [
        (start, end, float(drop[start:end].max()))
        for start, end in _runs(drop > EDGE)
        if drop[start:end].max() >= DEPTH and end - start <= LONGEST_SECONDS * frame_rate
    ]
    durations = [(end - start) / frame_rate if start > 0 and end < len(ear) else np.nan for start, end, _ in found]
    return Blinks(
        starts=np.array([start for start, _, _ in found], dtype=np.int64),
        ends=np.array([end for _, end, _ in found], dtype=np.int64),
        depths=np.array([depth for _, _, depth in found], dtype=np.float64),
        seconds=len(ear) / frame_rate,
        durations=np.array(durations, dtype=np.float64),
    )


@dataclass(frozen=True)
class BlinkStatistics:
    """Blinking over many clips.

    Attributes:
        count: blinks found.
        rate: blinks a second.
        duration: mean seconds of the blinks seen whole; NaN when there are none.
        depth: mean drop as a share of the open eye; NaN when there are none.
        histogram: how many whole blinks last 0, 1, 2 ... frames (Fig. 5).
    """

    count: int
    rate: float
    duration: float
    depth: float
    histogram: NDArray[np.int64]

    @property
    def duration_shares(self) -> Array:
        """Share of the whole blinks that last 0, 1, 2 ... frames; adds up to 1, or 0 when there are none."""
        return self.histogram / max(int(self.histogram.sum()), 1)

    def sentence(self) -> str:
        """How often, how long and how deep, on one line."""
        return f"{self.rate:.2f} blinks a second of {self.duration:.2f} s, depth {self.depth:.2f}"


def blink_statistics(curves: list[Array], frame_rate: float) -> BlinkStatistics:
    """Blink rate, duration and depth over EAR curves, one (T,) a clip (Tables 1 and 2, Fig. 5)."""
    found = [find_blinks(ear, frame_rate) for ear in curves]
    durations = np.concatenate([blinks.durations for blinks in found]) if found else np.empty(0)
    whole = durations[~np.isnan(durations)]
    depths = np.concatenate([blinks.depths for blinks in found]) if found else np.empty(0)
    seconds = sum(blinks.seconds for blinks in found)
    return BlinkStatistics(
        count=len(depths),
        rate=len(depths) / seconds if seconds else 0.0,
        duration=float(whole.mean()) if len(whole) else float("nan"),
        depth=float(depths.mean()) if len(depths) else float("nan"),
        histogram=np.bincount(np.round(whole * frame_rate).astype(np.int64)),
    )
