"""Measures the table of visemes on a corpus of people who talk."""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.fitting import SpokenMotion, fit_visemes
from backend_server.articulation.motion import articulate
from backend_server.articulation.visemes import VisemeTable, save_visemes
from backend_server.data.corpus import Clip, Corpus, long_enough
from backend_server.data.phone_alignment import Utterance, align, alignment_problem
from backend_server.data.synthetic_speech import phones_of_text
from backend_server.metrics.motion import MotionFigures, mean_figures, motion_figures
from backend_server.progress import Progress, silent
from shared.errors import CorpusError

LOG = logging.getLogger(__name__)
VOICE = "en-gb-x-rp"  # how the words are said; GRID's speakers are British
UNITS = 100  # distances are given in hundredths of the inter-ocular distance


@dataclass(frozen=True)
class VisemeResult:
    """How well the table moves a mouth to given phones; None where the corpus has no such clips.

    Attributes:
        known: figures on held-out sentences of people measured.
        unknown: figures on people never measured.
    """

    known: MotionFigures | None
    unknown: MotionFigures | None


@lru_cache(maxsize=4096)
def phones_of_word(word: str) -> tuple[str, ...]:
    """The phones of a word; a single letter is said by its name."""
    return phones_of_text(word.upper() if len(word) == 1 else word, VOICE)


def spoken_motions(
    training: Sequence[Clip], others: Sequence[Clip], neutral: NDArray[np.float32], progress: Progress = silent
) -> dict[Clip, SpokenMotion]:
    """Clips with the times of their phones; the model of how phones sound is trained on the first of them.

    Clips whose sound cannot be aligned with their text are left out, and the log names them.

    Args:
        training: clips with texts.
        others: further clips with texts.
        neutral: canonical face at rest, (68, 2).
        progress: told of every round of the alignment.
    """
    trained = _alignable(training)
    known = {phone for utterance in trained.values() for phone in utterance.phones}
    further = _alignable(others, known)
    if not trained:
        return {}
    aligned = align(list(trained.values()), list(further.values()), progress)
    motions = {}
    for clip, phones in zip((*trained, *further), aligned, strict=True):
        landmarks = clip.landmarks()
        motions[clip] = SpokenMotion(phones, landmarks.frame_times, landmarks.canonical - neutral)
    return motions


def _alignable(clips: Sequence[Clip], known: Set[str] | None = None) -> dict[Clip, Utterance]:
    """What is said in the clips that can be aligned, given the phones that the training knows."""
    said = {}
    for clip in clips:
        phones = tuple(phone for word in clip.text.split() for phone in phones_of_word(word))
        utterance = Utterance(clip.waveform(), phones)
        if reason := alignment_problem(utterance, known):
            LOG.warning("left out: %s cannot be aligned with its text: %s", clip.folder, reason)
        else:
            said[clip] = utterance
    return said


def judge(table: VisemeTable, clips: Sequence[SpokenMotion]) -> MotionFigures | None:
    """Mean figures of the table's motion against the real one; None without clips."""
    if not clips:
        return None
    return mean_figures(
        [
            motion_figures(
                UNITS * (table.neutral + articulate(clip.phones, clip.frame_times, table)),
                UNITS * (table.neutral + clip.displacements),
            )
            for clip in clips
        ]
    )


def train_visemes(*, corpus: Path, out: Path, progress: Progress = silent) -> VisemeResult:
    """Measures the visemes on the training clips of a corpus and writes their table.

    Args:
        corpus: folder of a prepared corpus whose clips have texts.
        out: weights file to write.
        progress: told of every round of the alignment and every step of the fit.

    Raises:
        CorpusError: the corpus is missing, or has no training clips with texts that fit them.
        SpeechFaceError: espeak-ng, which knows how words are said, is not installed.
    """
    data = Corpus(corpus)
    training, others = ([clip for clip in data.clips(split) if clip.text] for split in ("train", "val"))
    if not training:
        raise CorpusError(f"The corpus {corpus} has no training clips with texts; visemes cannot be measured on it.")
    spoken = spoken_motions(long_enough(training), others, data.neutral_canonical, progress)
    measured = [spoken[clip] for clip in training if clip in spoken]
    if not measured:
        raise CorpusError(f"No clip of the corpus {corpus} can be aligned with its text; the log says why.")
    table = fit_visemes(measured, data.neutral_canonical, progress)
    speakers = {clip.speaker for clip in training if clip in spoken}
    held_out = [clip for clip in others if clip in spoken]
    result = VisemeResult(
        known=judge(table, [spoken[clip] for clip in held_out if clip.speaker in speakers]),
        unknown=judge(table, [spoken[clip] for clip in held_out if clip.speaker not in speakers]),
    )
    notes = {}
    for name, figures in (("known people", result.known), ("unknown people", result.unknown)):
        if figures:
            LOG.info("%s: %s", name, figures.sentence())
            notes[name] = figures.sentence()
    save_visemes(out, table, notes)
    return result
