"""Which pictures does the texture network see together while it learns (Section 3.4, Fig. 3)?

A pair is a reference and a target of one clip; an episode is one person's task T^s: pairs to learn from (support,
d_trn) and pairs to be judged on (query, d_qry).
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
        references: (N, 256, 256, 3) RGB.
        reference_landmarks: (N, 68, 2) pixels.
        targets: (N, 256, 256, 3) RGB, same person and place.
        target_landmarks: (N, 68, 2) pixels.
    """

    references: NDArray[np.uint8]
    reference_landmarks: NDArray[np.float32]
    targets: NDArray[np.uint8]
    target_landmarks: NDArray[np.float32]


@dataclass(frozen=True)
class Episode:
    """One task T^s of meta-learning: pairs of one person, no target in both halves."""

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
    clips_of_a_speaker: int,
    every_nth: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> list[ClipFaces]:
    """Decodes a part of the corpus into memory, at most so many clips of each speaker.

    Raises:
        CorpusError: the split is empty.
    """
    chosen: list[Clip] = []
    for speaker in corpus.speakers(split):
        clips = corpus.clips(split, speaker)
        chosen += [clips[i] for i in sorted(rng.permutation(len(clips))[:clips_of_a_speaker])]
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
    """Draws pairs and episodes, every speaker as often as any other.

    Args:
        clips: what `load_faces` gave.
        far_pair_share: of pairs whose target is picked to differ much from the reference.
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

    def _draw(self, clip: ClipFaces, rng: np.random.Generator, targets: NDArray[np.int64]) -> tuple[int, int]:
        shape = self._expressions[id(clip)]
        reference = int(rng.integers(len(shape)))
        if rng.random() < 0.5:  # what a user gives: lips nearly shut, eyes open
            few = rng.integers(len(shape), size=4)
            reference = int(few[(shape[few, 0] - 2 * shape[few, 2]).argmin()])
        candidates = rng.choice(targets, _CANDIDATES)
        lids = shape[targets, 2]
        shut = targets[lids < _CLOSED_EYES_RATIO * np.median(shape[:, 2])]
        if len(shut) and rng.random() < _CLOSED_EYES_SHARE:
            return reference, int(rng.choice(shut))
        if rng.random() >= self.far_pair_share:
            return reference, int(candidates[0])
        distance = (np.abs(shape[candidates] - shape[reference]) * (1.0, 0.5, 1.0)).sum(1)
        return reference, int(candidates[distance.argmax()])

    def _pairs(self, draws: list[tuple[ClipFaces, int, int]]) -> Pairs:
        return Pairs(
            np.stack([clip.faces[i] for clip, i, _ in draws]),
            np.stack([clip.landmarks[i] for clip, i, _ in draws]),
            np.stack([clip.faces[j] for clip, _, j in draws]),
            np.stack([clip.landmarks[j] for clip, _, j in draws]),
        )

    def _clip(self, speaker: str, rng: np.random.Generator) -> ClipFaces:
        clips = self._by_speaker[speaker]
        return clips[int(rng.integers(len(clips)))]

    def pairs(self, count: int, rng: np.random.Generator) -> Pairs:
        """Pairs of as many speakers as there are, as evenly as `count` allows."""
        draws = []
        for _ in range(count):
            clip = self._clip(self.speakers[int(rng.integers(len(self.speakers)))], rng)
            draws.append((clip, *self._draw(clip, rng, np.arange(len(clip.faces)))))
        return self._pairs(draws)

    def episode(self, support: int, query: int, rng: np.random.Generator) -> Episode:
        """A task of one person, from one clip; support and query share no target."""
        speaker = self.speakers[int(rng.integers(len(self.speakers)))]
        clip = self._clip(speaker, rng)
        order = rng.permutation(len(clip.faces))
        half = max(len(order) // 2, 1)
        parts = [
            self._pairs([(clip, *self._draw(clip, rng, targets)) for _ in range(count)])
            for count, targets in ((support, order[:half]), (query, order[half:]))
        ]
        return Episode(speaker, *parts)
