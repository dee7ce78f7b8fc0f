"""How well do landmarks made from sound follow the real ones, and are they better than simple baselines?

Compared in pixels of each clip's own 256 x 256 crop: the generated motion is retargeted to the clip's neutral face,
the real one has its head motion removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.data.corpus import Clip
from backend_server.metrics.motion import MotionFigures, mean_figures, motion_figures
from backend_server.progress import Progress
from backend_server.retarget import retarget, stabilize

Motion = NDArray[np.float32]


@dataclass(frozen=True)
class ClipMotion:
    """One clip's real motion and the motions that were made from its sound, by method."""

    clip: Clip
    frame_times: NDArray[np.float64]
    real: Motion
    made: dict[str, Motion]


def move_clip(cascade: Cascade, clip: Clip) -> ClipMotion:
    """Real motion, ours, and the baselines `static` and `loudness` for one clip."""
    data = clip.landmarks()
    waveform = clip.waveform()
    real = stabilize(data.landmarks, data.neutral)
    motion = cascade.animate(waveform, SAMPLE_RATE, data.frame_times)
    ours = retarget(motion.canonical, cascade.neutral_canonical, data.neutral)
    static = np.repeat(data.neutral[None], len(real), axis=0)
    loud = _loudness(waveform, data.frame_times)[:, None, None]
    mean_face = cascade.neutral_canonical
    open_jaw = _open_jaw(mean_face)
    jaw = retarget(mean_face + loud * (open_jaw - mean_face), mean_face, data.neutral)
    return ClipMotion(clip, data.frame_times, real, {"ours": ours, "static": static, "loudness": jaw})


def evaluate_motion(cascade: Cascade, clips: Sequence[Clip], progress: Progress) -> list[ClipMotion]:
    """Motions of all clips, in order."""
    moved = []
    for number, clip in enumerate(clips):
        progress("motion", number, len(clips))
        moved.append(move_clip(cascade, clip))
    progress("motion", len(clips), len(clips))
    return moved


def figures_by_method(moved: Sequence[ClipMotion]) -> dict[str, MotionFigures]:
    """Mean figures of each method over clips."""
    methods = moved[0].made
    return {m: mean_figures([motion_figures(one.made[m], one.real) for one in moved]) for m in methods}


def by_split(clips: Sequence[Clip], seen_speaker: Callable[[str], bool]) -> dict[str, list[Clip]]:
    """Clips as `train`, `held-out sentences` (of people trained on) and `held-out people`."""
    groups: dict[str, list[Clip]] = {"train": [], "held-out sentences": [], "held-out people": []}
    for clip in clips:
        if clip.split == "train":
            groups["train"].append(clip)
        else:
            groups["held-out sentences" if seen_speaker(clip.speaker) else "held-out people"].append(clip)
    return {name: members for name, members in groups.items() if members}


def _loudness(waveform: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Root mean square of 40 ms around each time over the loudest of the clip: (T,) in [0, 1]."""
    half = int(SAMPLE_RATE / CORPUS_FRAME_RATE / 2)
    centres = np.rint(times * SAMPLE_RATE).astype(int)
    windows = [waveform[max(c - half, 0) : c + half] for c in centres]
    levels = np.array([np.sqrt(np.mean(np.square(w))) if len(w) else 0.0 for w in windows], np.float32)
    return levels / max(float(levels.max()), 1e-9)


def _open_jaw(neutral: NDArray[np.float32]) -> NDArray[np.float32]:
    """The neutral face with the lower lip and chin 0.15 units lower: what a loudness-driven jaw opens to."""
    moved = neutral.copy()
    moved[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.15
    return moved
