"""Pairs canonical motion with the ARKit shapes that the Face Landmarker scored.

A face at rest scores what its own form makes of it: one man's closed lips are 0.7 of a pucker. So the scores of each
person at rest are taken out, and rest is 0 for everybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.speech.presence import speech_presence
from shared.landmarks import INNER_LIP_PAIRS

CLOSED_GAP = 0.02  # canonical units by which the inner lips may be further apart than in the neutral face
OPEN_LIDS = -0.03  # canonical units by which the lids may be nearer than in the neutral face
FEWEST = 5  # frames of a median
LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))  # upper and lower points

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ArkitExample:
    """A clip's motion and its shapes.

    Attributes:
        clip: where it comes from.
        displacements: from the neutral face, (T, 68, 2), canonical units.
        scores: of `shared.arkit.SHAPES` as scored, (T, 52), 0 to 1.
        rest: the person's own scores at rest, (52,).
    """

    clip: Clip
    displacements: Array
    scores: Array
    rest: Array

    @property
    def weights(self) -> Array:
        """Scores (T, 52) with the person's rest taken out: 0 at rest and below, 1 where the score is 1."""
        return relative_to_rest(self.scores, self.rest)


def relative_to_rest(scores: Array, rest: Array) -> Array:
    """Scores (..., 52) on a scale on which those at rest (52,), below 1, are 0 and 1 stays 1; within [0, 1]."""
    return np.clip((scores - rest) / (1 - rest), 0, 1).astype(np.float32)


def arkit_examples(clips: Iterable[Clip], neutral: Array) -> list[ArkitExample]:
    """Examples of clips, in their order; a person's rest is measured on all of the given clips of that person.

    Args:
        clips: of a prepared corpus.
        neutral: canonical face at rest, (68, 2).

    Raises:
        CorpusError: a clip's files are missing or damaged.
    """
    clips = list(clips)
    moved = {clip: (clip.landmarks().canonical - neutral).astype(np.float32) for clip in clips}
    scores = {clip: clip.arkit() for clip in clips}
    people: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        people[clip.speaker].append(clip)
    rest = {
        person: rest_scores([moved[c] for c in own], [scores[c] for c in own], [silence(c) for c in own])
        for person, own in people.items()
    }
    return [ArkitExample(clip, moved[clip], scores[clip], rest[clip.speaker]) for clip in clips]


def silence(clip: Clip) -> NDArray[np.bool_]:
    """Whether nobody speaks in each frame of a clip, (T,)."""
    return speech_presence(clip.waveform(), clip.landmarks().frame_times) < 0.5


def rest_scores(
    displacements: Sequence[Array], scores: Sequence[Array], is_silent: Sequence[NDArray[np.bool_]]
) -> Array:
    """The scores of one person at rest, (52,): medians over silent frames with closed lips and open eyes.

    Where there are too few, as when somebody waits with an open mouth, those with the most closed lips serve.

    Args:
        displacements: of each clip, (T, 68, 2), canonical units.
        scores: of each clip, (T, 52).
        is_silent: of each clip, (T,).
    """
    motion, scored = np.concatenate(displacements), np.concatenate(scores)
    gap = opening(motion, INNER_LIP_PAIRS)
    at_rest = np.concatenate(is_silent) & (gap < CLOSED_GAP) & (opening(motion, LID_PAIRS) > OPEN_LIDS)
    if at_rest.sum() < FEWEST:
        at_rest = np.argsort(gap, kind="stable")[:FEWEST]
    return np.median(scored[at_rest], axis=0).astype(np.float32)


def opening(displacements: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    """By how much pairs of an upper and a lower point move apart on average, (T,), canonical units."""
    upper, lower = (list(points) for points in zip(*pairs, strict=True))
    return (displacements[:, lower, 1] - displacements[:, upper, 1]).mean(1)
