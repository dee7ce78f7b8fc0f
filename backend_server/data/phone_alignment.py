"""Finds when each phone of a clip was said, if only its sentence is known.

Every phone is a chain of three states, each a Gaussian over cepstra and their slopes. From a flat start the most likely
times and the Gaussians are found in turn (Viterbi training of monophones, Young et al., The HTK Book, section 1.5).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dct

from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.config import SAMPLE_RATE
from backend_server.progress import Progress, silent
from backend_server.speech.features import log_mel, normalise, speech_level

ROUNDS = 14
STATES = 3  # of a phone
CEPSTRA = 14
FRAMES_PER_SECOND = 100
AUDIBLE = 0.5  # a frame is speech above this share between a clip's quiet and loud frames
LEAD, TRAIL = 8, 12  # frames that a sentence may begin before, and end after, its audible frames
STAYING_COST = 2.0  # log-likelihood a frame of speech, so that quiet frames at the ends count as silence
SMOOTHING = 5.0  # frames of the whole corpus in each Gaussian

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Utterance:
    """What is to be aligned: a 16 kHz waveform (S,) and the phones said in it, without silences."""

    waveform: NDArray[np.float32]
    phones: tuple[str, ...]


def alignment_problem(utterance: Utterance, known: Set[str] | None = None) -> str:
    """Why an utterance cannot be aligned; empty when it can.

    Args:
        utterance: to be aligned.
        known: the phones that occur in the training, if the utterance is not part of it.
    """
    unknown = [] if known is None else sorted(set(utterance.phones) - known)
    if unknown:
        return f"no sentence that can be trained on has {', '.join(unknown)}"
    count = len(utterance.phones)
    if count == 0:
        return "its text has no sounds"
    wanted = STATES * count
    if len(utterance.waveform) / SAMPLE_RATE * FRAMES_PER_SECOND < wanted:
        return f"it is too short for all its sounds ({count})"
    first, last = _spoken_frames(_cepstra(utterance.waveform))
    if last == 0:
        return "it is silent"
    if last - first < wanted:
        return f"its speech is too short for all its sounds ({count})"
    return ""


def align(
    training: Sequence[Utterance], others: Sequence[Utterance] = (), progress: Progress = silent
) -> list[tuple[TimedPhone, ...]]:
    """Phones with times, silence before and after them, for the utterances trained on and then the others.

    Args:
        training: what the Gaussians are estimated on, without an `alignment_problem`.
        others: what is aligned with them, without one either; its phones occur in the training.
        progress: told of every round.
    """
    names = [SILENCE, *sorted({phone for one in training for phone in one.phones})]
    index = {name: number for number, name in enumerate(names)}
    heard = [_Heard.of(one, index) for one in (*training, *others)]
    known = heard[: len(training)]
    frames = np.concatenate([one.frames for one in known])
    at = [one.flat_start() for one in known]
    for round_ in range(ROUNDS):
        means, variances = _gaussians(known, at, frames, STATES * len(names))
        at = [one.best_path(means, variances) for one in (heard if round_ == ROUNDS - 1 else known)]
        progress("align", round_ + 1, ROUNDS)
    utterances = (*training, *others)
    return [one.times(path, utterance) for one, path, utterance in zip(heard, at, utterances, strict=True)]


@dataclass(frozen=True)
class _Heard:
    """An utterance as the model sees it: frames (F, 2 * CEPSTRA), chain of states, first and last speech frame."""

    frames: Array
    states: NDArray[np.int64]
    first: int
    last: int

    @classmethod
    def of(cls, utterance: Utterance, index: dict[str, int]) -> _Heard:
        cepstra = _cepstra(utterance.waveform)
        frames = np.concatenate([cepstra, 2 * np.gradient(cepstra, axis=0)], axis=1)
        chain = [index[name] for name in (SILENCE, *utterance.phones, SILENCE)]
        states = np.array([STATES * phone + state for phone in chain for state in range(STATES)])
        return cls(frames, states, *_spoken_frames(cepstra))

    def flat_start(self) -> NDArray[np.int64]:
        """Places in the chain, (F,): all states of speech equally long."""
        spoken = np.linspace(STATES, len(self.states) - STATES, self.last - self.first, endpoint=False)
        before = np.linspace(0, STATES, self.first, endpoint=False)
        after = np.linspace(0, STATES, len(self.frames) - self.last, endpoint=False) + len(self.states) - STATES
        return np.concatenate([before, spoken, after]).astype(np.int64)

    def best_path(self, means: Array, variances: Array) -> NDArray[np.int64]:
        """Places in the chain, (F,), that make the frames most likely (Viterbi)."""
        used, inverse = np.unique(self.states, return_inverse=True)
        distance = ((self.frames[:, None] - means[used]) ** 2 / variances[used]).sum(2)
        likely = (-0.5 * (distance + np.log(variances[used]).sum(1)))[:, inverse]  # (F, states)
        likely[:, STATES:-STATES] -= STAYING_COST
        likely[: self.first, STATES:-STATES] = -1e6
        likely[self.last :, :-STATES] = -1e6
        score = np.full(len(self.states), -np.inf)
        score[0] = likely[0, 0]
        steps = np.zeros(likely.shape, bool)
        for frame in range(1, len(likely)):
            stepped = np.concatenate([[-np.inf], score[:-1]])
            steps[frame] = stepped > score
            score = np.maximum(stepped, score) + likely[frame]
        path = np.empty(len(likely), np.int64)
        place = len(self.states) - 1
        for frame in range(len(likely) - 1, -1, -1):
            path[frame] = place
            place -= steps[frame, place]
        return path

    def times(self, path: NDArray[np.int64], utterance: Utterance) -> tuple[TimedPhone, ...]:
        names = (SILENCE, *utterance.phones, SILENCE)
        begins = np.searchsorted(path, STATES * np.arange(len(names))) / FRAMES_PER_SECOND
        ends = [*begins[1:], len(utterance.waveform) / SAMPLE_RATE]
        return tuple(TimedPhone(*one) for one in zip(names, begins.tolist(), map(float, ends), strict=True))


def _cepstra(waveform: NDArray[np.float32]) -> Array:
    """Cepstra (F, CEPSTRA) relative to the level of the speech; the first of each frame is its loudness."""
    mel = log_mel(torch.from_numpy(waveform))
    return np.asarray(dct(normalise(mel, speech_level(mel)).double().numpy(), axis=1, norm="ortho"))[:, :CEPSTRA]


def _spoken_frames(cepstra: Array) -> tuple[int, int]:
    """The first frame that may belong to the sentence, and the one after the last; both 0 when all is silent."""
    quiet, loud = np.percentile(cepstra[:, 0], (10, 95))
    audible = np.flatnonzero(cepstra[:, 0] > quiet + AUDIBLE * (loud - quiet))
    if len(audible) == 0:
        return 0, 0
    return max(int(audible[0]) - LEAD, STATES), min(int(audible[-1]) + TRAIL, len(cepstra) - STATES)


def _gaussians(
    heard: Sequence[_Heard], at: Sequence[NDArray[np.int64]], frames: Array, count: int
) -> tuple[Array, Array]:
    """Means and variances of all states, (count, 2 * CEPSTRA) each, drawn a little towards the whole corpus."""
    states = np.concatenate([one.states[places] for one, places in zip(heard, at, strict=True)])
    sums, squares = np.zeros((2, count, frames.shape[1]))
    np.add.at(sums, states, frames)
    np.add.at(squares, states, frames**2)
    mean, variance = frames.mean(0), frames.var(0)
    weight = np.bincount(states, minlength=count)[:, None] + SMOOTHING
    means = (sums + SMOOTHING * mean) / weight
    variances = (squares + SMOOTHING * (variance + mean**2)) / weight - means**2
    return means, np.maximum(variances, 0.05 * variance)
