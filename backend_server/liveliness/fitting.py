"""Learns how heads and brows move from the training clips of a corpus, in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from backend_server.config import CORPUS_FRAME_RATE
from backend_server.data.corpus import Clip, Corpus
from backend_server.liveliness.head_pose import head_poses
from backend_server.liveliness.movement import CHANNELS, Movement, at_times, design
from backend_server.liveliness.prosody import prosody
from backend_server.progress import Progress, silent
from shared.errors import CorpusError
from shared.landmarks import LEFT_BROW, RIGHT_BROW

# How fast channels change in lively talk, as `speeds`: means over three clips of people talking to a camera, which are
# for measuring only.
TALK = (0.54, 0.35, 0.22, 0.33, 0.34, 0.084, 0.125, 0.125)
_STEADY_SECONDS = 0.06  # of the Gaussian that takes the trembling of landmarks away
STEADY_FRAMES = 1.0  # the same where speeds are measured
_RIDGE = 3000.0
_PULSE = 1000  # moments until the answer to a push has faded

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """A clip's motion and melody.

    Attributes:
        speaker: who.
        motion: (T, 8), around its own mean.
        speeds: of the channels, a second, (8,), as `speeds`.
        melody: (T, 3), at the same frames.
    """

    speaker: str
    motion: Array
    speeds: Array
    melody: Array


def channels_of(
    landmarks: NDArray[np.floating], canonical: NDArray[np.floating], neutral: NDArray[np.floating]
) -> Array:
    """Poses of the head and heights of the brows in each frame, (T, 8).

    Args:
        landmarks: (T, 68, 2) pixels.
        canonical: the same without the head's motion, (T, 68, 2) canonical units.
        neutral: the face at rest, (68, 2) pixels.
    """
    brows = np.stack([-canonical[:, part, 1].mean(1) for part in (RIGHT_BROW, LEFT_BROW)], 1)
    return np.concatenate([head_poses(landmarks, neutral), brows], 1)


def observe(clip: Clip) -> Observed:
    """Reads a clip.

    Raises:
        CorpusError: a file of it is missing or damaged.
    """
    data = clip.landmarks()
    motion = channels_of(data.landmarks, data.canonical, data.neutral)
    melody = at_times(prosody([clip.waveform()]).astype(np.float64), data.frame_times)
    steady = gaussian_filter1d(motion, _STEADY_SECONDS * CORPUS_FRAME_RATE, axis=0)
    return Observed(clip.speaker, steady - steady.mean(0), speeds(motion), melody)


def speeds(motion: Array) -> Array:
    """How fast channels (T, C) change, standard deviations a second, (C,), at 25 frames a second."""
    steady = gaussian_filter1d(motion, STEADY_FRAMES, axis=0)
    return np.diff(steady, axis=0).std(0) * CORPUS_FRAME_RATE


def train_liveliness(*, corpus: Path, out: Path, progress: Progress = silent) -> str:
    """Learns how the people of a corpus move, writes it, and returns what it was learnt from.

    Raises:
        CorpusError: there is nothing to learn from.
    """
    people = Corpus(corpus)
    fit_movement(people, progress).save(out, people.source("train"))
    return people.source("train")


def fit_movement(corpus: Corpus, progress: Progress = silent) -> Movement:
    """How the people of the training split move; each clip counts alike, whatever its range.

    Raises:
        CorpusError: there are no training clips, or one is damaged.
    """
    chosen = corpus.clips("train")
    if not chosen:
        raise CorpusError(f"{corpus.path} has no training clips; prepare some, as the index's split says")
    seen = []
    for number, clip in enumerate(chosen):
        progress("liveliness", number, len(chosen))
        seen.append(observe(clip))
    progress("liveliness", len(chosen), len(chosen))
    melody = np.concatenate([one.melody for one in seen]).mean(0)
    heard = np.concatenate([design(one.melody - melody) for one in seen])
    heard -= heard.mean(0)
    motion = np.concatenate([one.motion / one.motion.std(0) for one in seen])
    response = np.linalg.solve(heard.T @ heard + _RIDGE * np.eye(heard.shape[1]), heard.T @ motion)
    left = motion - heard @ response
    clips = np.split(left, np.cumsum([len(one.motion) for one in seen])[:-1])
    memory = np.array([_memory([clip[:, place] for clip in clips]) for place in range(len(CHANNELS))])
    unit = Movement(
        response, memory, _noise(np.cov(left.T), memory), np.ones(len(CHANNELS)), np.ones(len(CHANNELS)), melody
    )
    drawn = np.median([speeds(unit.draw(one.melody, number)) for number, one in enumerate(seen)], axis=0)
    reading = np.median([one.speeds for one in seen], axis=0)
    return replace(unit, reading=reading / drawn, talk=np.array(TALK) / drawn)


def _memory(processes: list[Array]) -> tuple[float, float]:
    """The two factors of Yule and Walker from sequences that begin and end on their own."""
    zero, one, two = (
        sum(float((x[lag:] * x[: len(x) - lag]).sum()) for x in processes) / sum(len(x) - lag for x in processes)
        for lag in range(3)
    )
    near, far = one / zero, two / zero
    return near * (1 - far) / (1 - near**2), (far - near**2) / (1 - near**2)


def _noise(covariance: Array, memory: Array) -> Array:
    """The factor (8, 8) of noise that gives channels with such memory their covariance."""
    pulse = np.zeros(_PULSE)
    pulse[0] = 1.0
    answers = np.stack([lfilter([1.0], [1.0, -first, -second], pulse) for first, second in memory])
    values, vectors = np.linalg.eigh(covariance / (answers @ answers.T))
    return vectors * np.sqrt(values.clip(0))
