"""The clips that are judged: some of the training split, and all that are held out of it.

Motions are compared in pixels of each clip's own 256 x 256 crop; the real one has its head motion removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip, Corpus
from backend_server.retarget import stabilise
from shared.errors import CorpusError

TRAIN_CLIPS = 40  # of the training split, spread over it; the held-out clips are all judged
TRAIN, SENTENCES, PEOPLE = "train", "held-out sentences", "held-out people"


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
    real: NDArray[np.float32]


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


def read_talkers(folder: Path) -> list[Clip]:
    """The clips in the split val of a corpus, on which faces alone are judged.

    Raises:
        CorpusError: the folder is no corpus, or holds nothing out.
    """
    clips = Corpus(folder).clips("val")
    if not clips:
        raise CorpusError(f"{str(folder)!r} has no clips in the split val, whose faces --talkers judges; prepare some")
    return clips


def spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """`count` clips, or all where there are fewer, spread evenly over the given ones."""
    chosen = np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int)
    return [clips[i] for i in chosen]


def by_person(takes: Iterable[Take]) -> dict[str, list[Take]]:
    """The takes of each person, in their order."""
    people: dict[str, list[Take]] = {}
    for take in takes:
        people.setdefault(take.clip.speaker, []).append(take)
    return people


def one_of_each(clips: Sequence[Clip]) -> list[Clip]:
    """The first clip of each person, in their order."""
    return list({clip.speaker: clip for clip in reversed(clips)}.values())[::-1]


def clip_name(clip: Clip) -> str:
    """A clip as a row of a table is called: its person and its own name."""
    return f"{clip.speaker} {clip.name}"
