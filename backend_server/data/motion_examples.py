"""Pairs speech with landmark motion.

The features of a clip are computed once. A clip can be heard in several ways: as it is, faster and higher or slower and
lower, and with noise. All of them are views of the same motion, so the motion network learns to ignore voice and
noise; a corpus in which one person speaks most sentences needs it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.metrics.landmarks import mouth_opening
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import AcousticModel
from backend_server.speech.augmentation import AUGMENTATION, change_speed, vary_place
from backend_server.speech.listener import open_acoustic_model
from backend_server.speech.presence import speech_presence
from shared.landmarks import JAW, LIPS

HOLD_SECONDS = 0.1  # lips leave rest 0.2 s before the first sound at the earliest
DOUBTED_CLIPS = 2.0  # the average person weighs as much as so many clips of somebody
KEPT_VOICES = 60  # clips that babble is made of

Array = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One way to hear a clip.

    Attributes:
        features: (U, C).
        features_per_second: of `features`.
        speed: how many seconds of the clip pass in one second of what is heard.
    """

    features: Array
    features_per_second: float
    speed: float = 1.0

    def positions(self, frame_times: NDArray[np.float64], shift_seconds: float = 0.0) -> NDArray[np.float64]:
        """Where the frame times of the clip lie among the features, (T,), read `shift_seconds` late."""
        return (frame_times / self.speed + shift_seconds) * self.features_per_second

    def around(self, first: int, count: int) -> Array:
        """So many features from a place on, (count, C); beyond the ends the nearest is repeated."""
        return self.features[np.arange(first, first + count).clip(0, len(self.features) - 1)]


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


def load_listener(path: Path, device: str, listens_to: Literal["hidden", "scores"]) -> AcousticModel:
    """The acoustic model through which the examples are heard, for `motion`, which imports no other stage.

    Raises:
        WeightsError: its weights file cannot be read.
    """
    return open_acoustic_model(path, device, listens_to)


def rest_in_silence(canonical: Array, neutral: Array, waveform: Array, frame_times: NDArray[np.float64]) -> Array:
    """Landmarks (T, 68, 2) whose jaw and lips are at rest where nobody speaks.

    Some people wait with an open mouth, others with a closed one, and no sound tells which. A network trained on both
    leaves the mouth half open in every pause.
    """
    presence = speech_presence(waveform, frame_times, HOLD_SECONDS)
    result = canonical.copy()
    for points in (JAW, LIPS):
        result[:, points] = neutral[points] + presence[:, None, None] * (canonical[:, points] - neutral[points])
    return result


def as_usual_person(examples: Sequence[MotionExample], neutral: Array) -> list[MotionExample]:
    """Examples in which everybody moves jaw and lips as far as the average person.

    How far somebody opens the mouth is not in the sound. Few clips say little of it, so a person with few counts as
    nearly average.

    Args:
        examples: of several people.
        neutral: canonical landmarks at rest, (68, 2).
    """
    openings: dict[str, list[Array]] = defaultdict(list)
    for example in examples:
        openings[example.speaker].append(mouth_opening(example.canonical))
    spreads = {speaker: float(np.concatenate(clips).std()) for speaker, clips in openings.items()}
    usual = float(np.mean(list(spreads.values())))
    shrunk = {
        speaker: (len(openings[speaker]) * spread + DOUBTED_CLIPS * usual) / (len(openings[speaker]) + DOUBTED_CLIPS)
        for speaker, spread in spreads.items()
    }
    return [_scaled(example, neutral, usual / shrunk[example.speaker]) for example in examples]


def _scaled(example: MotionExample, neutral: Array, factor: float) -> MotionExample:
    canonical = example.canonical.copy()
    for points in (JAW, LIPS):
        canonical[:, points] = neutral[points] + np.float32(factor) * (canonical[:, points] - neutral[points])
    return replace(example, canonical=canonical)


def make_views(
    waveform: Array, model: AcousticModel, count: int, random: np.random.Generator, voices: Sequence[Array] = ()
) -> tuple[View, ...]:
    """The clip as it is and `count` variations: another tempo and pitch, in another place, where the voices talk."""
    views = [View(model.features(waveform), model.features_per_second)]
    for _ in range(count):
        speed = round(random.uniform(*AUGMENTATION.speed), 2)
        heard = vary_place(change_speed(waveform, speed), voices, AUGMENTATION, random)
        views.append(View(model.features(heard), model.features_per_second, speed))
    return tuple(views)


def motion_examples(
    clips: Iterable[Clip],
    model: AcousticModel,
    random: np.random.Generator,
    variations: int = 0,
    rest: Array | None = None,
    progress: Progress = silent,
) -> list[MotionExample]:
    """Examples of clips, in their order.

    Args:
        clips: of a prepared corpus.
        model: the acoustic model whose features the motion network reads.
        random: of the variations.
        variations: further ways to hear each clip.
        rest: neutral canonical landmarks (68, 2) that jaw and lips take in silence; None leaves them as they are.
        progress: told of every clip.

    Raises:
        CorpusError: a clip's files are missing or damaged.
    """
    clips, examples = list(clips), []
    voices = [clip.waveform() for clip in clips[:: max(len(clips) // KEPT_VOICES, 1)]] if variations else []
    for index, clip in enumerate(clips):
        landmarks, waveform = clip.landmarks(), clip.waveform()
        times, canonical = landmarks.frame_times, landmarks.canonical
        if rest is not None:
            canonical = rest_in_silence(canonical, rest, waveform, times)
        views = make_views(waveform, model, variations, random, voices)
        examples.append(MotionExample(clip.speaker, clip.name, clip.split, times, canonical, views))
        progress("listen", index + 1, len(clips))
    return examples
