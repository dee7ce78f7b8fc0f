"""Chooses which pictures the texture network sees together while it learns (Section 3.4, Fig. 3).

A pair is a target and the references to make it from; an episode is one person's task T^s: pairs to learn
from (support, d_trn) and pairs to be judged on (query, d_qry).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip, Corpus
from backend_server.progress import Progress, silent
from shared.errors import CorpusError

_EXTREMES = 6  # frames of each extreme (lids shut, mouth wide) that are kept whatever the spacing
_CANDIDATES = 5  # targets among which a far one is picked
_CLOSED_EYES_SHARE = 0.2  # of the targets, where a clip has closed eyes
_CLOSED_EYES_RATIO = 0.6  # of the clip's median lid gap
_NEAR_SHARE = 0.5  # of pairs with several references, one of which is a neighbour: as among twenty images of a clip
_OTHER_CLIP_SHARE = 0.25  # of pairs whose references come from another clip of the person, where there is one


@dataclass(frozen=True)
class ClipFaces:
    """Pictures of one clip, in memory.

    Attributes:
        speaker: who is seen.
        faces: (T, 256, 256, 3) RGB.
        landmarks: (T, 68, 2) pixels.
    """

    speaker: str
    faces: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """References and targets.

    Attributes:
        references: (N, R, 256, 256, 3) RGB, the base first.
        reference_landmarks: (N, R, 68, 2) pixels.
        targets: (N, 256, 256, 3) RGB, the same person.
        target_landmarks: (N, 68, 2) pixels.
    """

    references: NDArray[np.uint8]
    reference_landmarks: NDArray[np.float32]
    targets: NDArray[np.uint8]
    target_landmarks: NDArray[np.float32]


@dataclass(frozen=True)
class Episode:
    """One task T^s of meta-learning: pairs of one person; the halves share no target."""

    speaker: str
    support: Pairs
    query: Pairs


def expressions(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mouth height, mouth width and lid gap of (T, 68, 2), over the eye distance: (T, 3)."""

    def distance(i: int, j: int) -> NDArray[np.float32]:
        return np.linalg.norm(landmarks[:, i] - landmarks[:, j], axis=-1)

    lids = distance(37, 41) + distance(38, 40) + distance(43, 47) + distance(44, 46)
    return np.stack([distance(62, 66), distance(48, 54), lids / 2], 1) / distance(36, 45)[:, None]


def kept_frames(landmarks: NDArray[np.float32], every_nth: int) -> list[int]:
    """Indices of every n-th frame and of the extremes of mouth and lids."""
    shape = expressions(landmarks)
    extremes = np.concatenate([shape[:, 0].argsort()[-_EXTREMES:], shape[:, 2].argsort()[:_EXTREMES]])
    return sorted({*range(0, len(landmarks), every_nth), *extremes.tolist()})


def load_faces(
    corpus: Corpus,
    split: str,
    *,
    clips_per_speaker: int,
    every_nth: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> list[ClipFaces]:
    """Decodes a part of the corpus into memory, a limited number of clips of each speaker.

    Raises:
        CorpusError: the split is empty.
    """
    chosen: list[Clip] = []
    for speaker in corpus.speakers(split):
        clips = corpus.clips(split, speaker)
        chosen += [clips[i] for i in sorted(rng.permutation(len(clips))[:clips_per_speaker])]
    if not chosen:
        raise CorpusError(f"the corpus {corpus.path} has no clips in its split {split!r}")
    loaded = []
    for number, clip in enumerate(chosen):
        progress("decode", number, len(chosen))
        landmarks = clip.landmarks().landmarks
        frames = kept_frames(landmarks, every_nth)
        loaded.append(ClipFaces(clip.speaker, clip.faces(frames), landmarks[frames]))
    progress("decode", len(chosen), len(chosen))
    return loaded


class PairSampler:
    """Draws pairs and episodes, all speakers equally often.

    Args:
        clips: from `load_faces`.
        far_pair_share: share of the pairs whose target is picked to differ much from the reference.
    """

    def __init__(self, clips: list[ClipFaces], far_pair_share: float) -> None:
        self.far_pair_share = far_pair_share
        self._by_speaker: dict[str, list[ClipFaces]] = {}
        for clip in clips:
            self._by_speaker.setdefault(clip.speaker, []).append(clip)
        self._expressions = {id(clip): expressions(clip.landmarks) for clip in clips}

    @property
    def speakers(self) -> list[str]:
        """Names of all speakers."""
        return list(self._by_speaker)

    def _draw(self, speaker: str, count: int, rng: np.random.Generator, half: int | None = None) -> _Draw:
        """One target with `count` references; `half` 0 or 1 takes the target from that half of a clip's frames."""
        clips = self._by_speaker[speaker]
        clip = clips[int(rng.integers(len(clips)))]
        frames = np.arange(len(clip.faces))
        targets = frames if half is None else frames[half::2] if len(frames) > 1 else frames
        base, target = self._base_and_target(clip, rng, targets)
        others = frames[frames != target] if len(frames) > 1 else frames
        chosen = rng.choice(others, count - 1)
        if count > 1 and rng.random() < _NEAR_SHARE:
            chosen[0] = others[np.abs(others - target).argmin()]
        references = [(clip, base), *((clip, int(i)) for i in chosen)]
        if len(clips) > 1 and rng.random() < _OTHER_CLIP_SHARE:
            other = clips[int(rng.integers(len(clips)))]
            references = [(other, int(rng.integers(len(other.faces)))) for _ in range(count)]
        return _Draw(references, clip, target)

    def _base_and_target(
        self, clip: ClipFaces, rng: np.random.Generator, targets: NDArray[np.int64]
    ) -> tuple[int, int]:
        shape = self._expressions[id(clip)]
        base = int(rng.integers(len(shape)))
        if rng.random() < 0.5:  # what a user gives: lips nearly shut, eyes open
            few = rng.integers(len(shape), size=4)
            base = int(few[(shape[few, 0] - 2 * shape[few, 2]).argmin()])
        candidates = rng.choice(targets, _CANDIDATES)
        lids = shape[targets, 2]
        shut = targets[lids < _CLOSED_EYES_RATIO * np.median(shape[:, 2])]
        if len(shut) and rng.random() < _CLOSED_EYES_SHARE:
            return base, int(rng.choice(shut))
        if rng.random() >= self.far_pair_share:
            return base, int(candidates[0])
        distance = (np.abs(shape[candidates] - shape[base]) * (1.0, 0.5, 1.0)).sum(1)
        return base, int(candidates[distance.argmax()])

    def _speaker(self, rng: np.random.Generator) -> str:
        return self.speakers[int(rng.integers(len(self.speakers)))]

    def pairs(self, count: int, rng: np.random.Generator, references: int = 1) -> Pairs:
        """Pairs, each of a speaker drawn at random."""
        return _stacked([self._draw(self._speaker(rng), references, rng) for _ in range(count)])

    def episode(self, support: int, query: int, rng: np.random.Generator, references: int = 1) -> Episode:
        """A task of one person; support and query share no target."""
        speaker, first = self._speaker(rng), int(rng.integers(2))
        parts = [
            _stacked([self._draw(speaker, references, rng, half) for _ in range(count)])
            for count, half in ((support, first), (query, 1 - first))
        ]
        return Episode(speaker, *parts)


@dataclass(frozen=True)
class _Draw:
    """References and a target, each a frame of a clip."""

    references: list[tuple[ClipFaces, int]]
    clip: ClipFaces
    target: int


def _stacked(draws: list[_Draw]) -> Pairs:
    return Pairs(
        np.stack([[clip.faces[i] for clip, i in draw.references] for draw in draws]),
        np.stack([[clip.landmarks[i] for clip, i in draw.references] for draw in draws]),
        np.stack([draw.clip.faces[draw.target] for draw in draws]),
        np.stack([draw.clip.landmarks[draw.target] for draw in draws]),
    )
