"""Which speech goes with which landmark motion?

The scores of a clip are computed once. A clip can be heard in several ways: as it is, faster and higher or slower and
lower, and with noise. All of them are views of the same motion, so the motion network learns to hear past voice and
noise; a corpus in which one person speaks most sentences needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from backend_server.data.corpus import Clip
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import AcousticModel, load_acoustic_model
from backend_server.speech.windows import feature_windows

SPEEDS = (0.88, 0.94, 1.06, 1.12)  # voices between a man's and a woman's, tempos as people vary
NOISE_DB = (5.0, 25.0)  # speech level over noise level

Array = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One way to hear a clip.

    Attributes:
        scores: (U, C).
        scores_per_second: of `scores`.
        speed: how many seconds of the clip pass in one second of what is heard.
    """

    scores: Array
    scores_per_second: float
    speed: float = 1.0

    def windows(self, frame_times: NDArray[np.float64], shift_seconds: float = 0.0) -> Array:
        """Speech windows at the frame times of the clip, (T, 6, C), read `shift_seconds` late."""
        return feature_windows(self.scores, self.scores_per_second, frame_times / self.speed + shift_seconds)


@dataclass(frozen=True)
class MotionExample:
    """A clip's motion and the ways to hear its speech; the first view is the clip as it is.

    Attributes:
        speaker: name of the person.
        name: name of the clip.
        split: "train" or "val".
        frame_times: (T,), seconds.
        canonical: (T, 68, 2), canonical units.
        views: at least one.
    """

    speaker: str
    name: str
    split: str
    frame_times: NDArray[np.float64]
    canonical: Array
    views: tuple[View, ...]


def load_listener(path: Path, device: str = "cpu") -> AcousticModel:
    """The acoustic model through which the examples are heard.

    Raises:
        WeightsError: its weights file cannot be read.
    """
    return load_acoustic_model(path, device)


def add_noise(waveform: Array, level_db: float, random: np.random.Generator) -> Array:
    """A waveform (S,) with noise `level_db` below it: white, or brighter or duller by a random one-pole filter."""
    noise = np.asarray(lfilter([1.0], [1.0, -random.uniform(-0.3, 0.95)], random.standard_normal(len(waveform))))
    power = float(np.mean(waveform.astype(np.float64) ** 2))
    scale = np.sqrt(power / max(float(np.mean(noise**2)), 1e-20) * 10 ** (-level_db / 10))
    return (waveform + scale * noise).astype(np.float32)


def change_speed(waveform: Array, speed: float) -> Array:
    """A waveform (S,) played `speed` times as fast, and so much higher; speed is rounded to hundredths."""
    return resample_poly(waveform, 100, round(100 * speed)).astype(np.float32)


def make_views(waveform: Array, model: AcousticModel, count: int, random: np.random.Generator) -> tuple[View, ...]:
    """The clip as it is and `count` variations of it, every second one with noise."""
    views = [View(model.scores(waveform), model.scores_per_second)]
    for index in range(count):
        speed = float(random.choice(SPEEDS))
        heard = change_speed(waveform, speed)
        if index % 2 == 0:
            heard = add_noise(heard, random.uniform(*NOISE_DB), random)
        views.append(View(model.scores(heard), model.scores_per_second, speed))
    return tuple(views)


def motion_examples(
    clips: Iterable[Clip],
    model: AcousticModel,
    random: np.random.Generator,
    variations: int = 0,
    progress: Progress = silent,
) -> list[MotionExample]:
    """Examples of clips, in their order.

    Args:
        clips: of a prepared corpus.
        model: the acoustic model whose scores the motion network shall read.
        random: of the variations.
        variations: further ways to hear each clip.
        progress: told of every clip.

    Raises:
        CorpusError: a clip's files are missing or damaged.
    """
    clips, examples = list(clips), []
    for index, clip in enumerate(clips):
        landmarks = clip.landmarks()
        views = make_views(clip.waveform(), model, variations, random)
        examples.append(
            MotionExample(clip.speaker, clip.name, clip.split, landmarks.frame_times, landmarks.canonical, views)
        )
        progress("listen", index + 1, len(clips))
    return examples
