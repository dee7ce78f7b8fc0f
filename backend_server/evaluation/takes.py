"""Which clips are judged, and how is a motion made from their sound compared with the real one?

Compared in pixels of each clip's own 256 x 256 crop: the generated motion is retargeted to the clip's neutral face,
the real one has its head motion removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import SAMPLE_RATE
from backend_server.data.corpus import Clip, Corpus
from backend_server.evaluation.sounds import CLEAN, Sound
from backend_server.metrics.motion import MotionFigures, mean_figures, motion_figures
from backend_server.progress import Progress
from backend_server.retarget import keep_lips_apart, retarget, stabilise
from shared.errors import CorpusError

TRAIN_CLIPS = 40  # of the training split, spread over it; the held-out clips are all judged
TRAIN, SENTENCES, PEOPLE = "train", "held-out sentences", "held-out people"

Motion = NDArray[np.float32]


@dataclass(frozen=True)
class Take:
    """One clip as it is judged.

    Attributes:
        clip: where it comes from.
        waveform: (S,), 16 kHz.
        frame_times: (T,), seconds.
        neutral: l_p, (68, 2) pixels of the crop.
        real: (T, 68, 2) pixels of the crop, without head motion.
    """

    clip: Clip
    waveform: NDArray[np.float32]
    frame_times: NDArray[np.float64]
    neutral: NDArray[np.float32]
    real: Motion


Method = Callable[[Take], Motion]
"""A way to make the motion (T, 68, 2), in pixels of the crop, of a take."""


def read_take(clip: Clip) -> Take:
    """Reads a clip.

    Raises:
        CorpusError: a file of it is missing or damaged.
    """
    data = clip.landmarks()
    real = stabilise(data.landmarks, data.neutral)
    return Take(clip, clip.waveform(), data.frame_times, data.neutral, real)


def read_groups(corpus: Corpus) -> dict[str, list[Take]]:
    """The judged takes of a corpus: `train`, `held-out sentences` of people trained on, `held-out people`.

    Raises:
        CorpusError: the corpus holds nothing out, or a clip is damaged.
    """
    trained = corpus.speakers("train")
    groups: dict[str, list[Clip]] = {TRAIN: spread(corpus.clips("train"), TRAIN_CLIPS), SENTENCES: [], PEOPLE: []}
    for clip in corpus.clips("val"):
        groups[SENTENCES if clip.speaker in trained else PEOPLE].append(clip)
    if not groups[SENTENCES] and not groups[PEOPLE]:
        raise CorpusError(f"{corpus.path} has no clips in the split val; there is nothing held out to judge on")
    return {name: [read_take(clip) for clip in clips] for name, clips in groups.items() if clips}


def spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """`count` clips, or all where there are fewer, spread evenly over the given ones."""
    chosen = np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int)
    return [clips[i] for i in chosen]


def held_out(groups: Mapping[str, Sequence[Take]]) -> dict[str, Sequence[Take]]:
    """The groups without the training clips."""
    return {name: takes for name, takes in groups.items() if name != TRAIN}


def animated(cascade: Cascade, take: Take, sound: Sound = CLEAN) -> Motion:
    """The motion that the cascade makes of a take, heard in `sound`, without blinks: (T, 68, 2) pixels of the crop.

    Blinks come at random; at other moments than the real ones they would count as errors of the mouth's width, which
    is a share of the distance of the eyes.
    """
    times = take.frame_times / sound.speed
    motion = cascade.animate(sound.heard(take.waveform), SAMPLE_RATE, times, blink=False)
    return keep_lips_apart(retarget(motion.canonical, cascade.neutral_canonical, take.neutral), take.neutral)


def judge(method: Method, takes: Sequence[Take]) -> MotionFigures:
    """Mean figures of a method over takes; distances in pixels of the crop."""
    return mean_figures([motion_figures(method(take), take.real) for take in takes])


def judge_groups(
    methods: Mapping[str, Method], groups: Mapping[str, Sequence[Take]], stage: str, progress: Progress
) -> dict[str, dict[str, MotionFigures]]:
    """Figures by group and method.

    Args:
        methods: by name.
        groups: takes by name.
        stage: what the progress is called.
        progress: told of every method and group.
    """
    figures: dict[str, dict[str, MotionFigures]] = {group: {} for group in groups}
    steps = len(methods) * len(groups)
    for number, (name, method) in enumerate(methods.items()):
        for place, (group, takes) in enumerate(groups.items()):
            progress(stage, number * len(groups) + place, steps)
            figures[group][name] = judge(method, takes)
    progress(stage, steps, steps)
    return figures
