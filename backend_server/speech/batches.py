"""Chooses which utterances are trained on together, and puts them into one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.speech.acoustic_model import MEL_STEP
from backend_server.speech.dataset import Features
from backend_server.speech.decoding import encode_text
from backend_server.speech.features import SILENCE, normalise, speech_level

UNKNOWN = -1  # class number
MOUTH_SPANS = 6
SCORE_STEP = 2  # mel frames per score
_TAIL_FRAMES = 8  # silence after the longest utterance


@dataclass(frozen=True)
class Batch:
    """Utterances of similar length.

    Attributes:
        mel: (N, F, bands), normalised, surrounded by silence.
        lengths: (N,), the scores of each utterance; the silence after it is left out.
        characters: (sum of character_counts,), class numbers.
        character_counts: (N,); 0 where the text is not known.
        phones: (sum of phone_counts,), class numbers of the utterances whose phones have no known times.
        phone_counts: (N,); 0 for the others.
        timed_phones: (N, F / 2), the class number at each score, or `UNKNOWN`.
        mouths: (N, F / 2, 6), what the mouth does at each score; NaN where unknown.
    """

    mel: Tensor
    lengths: Tensor
    characters: Tensor
    character_counts: Tensor
    phones: Tensor
    phone_counts: Tensor
    timed_phones: Tensor
    mouths: Tensor

    def to(self, device: str) -> Batch:
        """The same batch on a device."""
        return Batch(*(getattr(self, part.name).to(device) for part in fields(self)))


def normalised(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel frames (F, bands) relative to the level of their own speech."""
    frames = torch.from_numpy(np.ascontiguousarray(mel))
    return normalise(frames, speech_level(frames)).numpy()


def phones_at(item: Features, count: int, lead: int) -> NDArray[np.int64]:
    """The class number of the phone at each of `count` scores, (count,); `UNKNOWN` where there is none.

    Args:
        item: its phones begin at mel frames.
        count: of scores, two mel frames apart.
        lead: mel frames before the utterance.
    """
    frames = SCORE_STEP * np.arange(count) - lead
    current = np.searchsorted(item.begins, frames, side="right") - 1
    is_known = (current >= 0) & (frames < len(item.mel))
    return np.where(is_known, item.phones[current.clip(min=0)] if len(item.begins) else UNKNOWN, UNKNOWN)


def mouth_at(item: Features, count: int, lead: int) -> NDArray[np.float32]:
    """What the mouth does at each of `count` scores, (count, 6), after `lead` mel frames; NaN where unknown."""
    mouth = np.full((count, MOUTH_SPANS), np.nan, np.float32)
    if item.mouth is not None:
        frames = SCORE_STEP * np.arange(count) - lead
        is_known = (frames >= 0) & (frames < len(item.mel))
        positions = frames[is_known] * ((len(item.mouth) - 1) / max(len(item.mel) - 1, 1))
        rows = np.arange(len(item.mouth))
        mouth[is_known] = np.stack([np.interp(positions, rows, span) for span in item.mouth.T], 1)
    return mouth


def make_batch(items: Sequence[Features], lead: int = 0) -> Batch:
    """A batch of utterances with normalised frames; `lead` frames of silence stand before each."""
    longest = max(len(item.mel) for item in items) + lead + _TAIL_FRAMES
    padded = -(-longest // MEL_STEP) * MEL_STEP
    mel = np.full((len(items), padded, items[0].mel.shape[1]), SILENCE, np.float32)
    for row, item in zip(mel, items, strict=True):
        row[lead : lead + len(item.mel)] = item.mel
    characters = [encode_text(item.text) for item in items]
    phones = [item.phones[: 0 if len(item.begins) else None] for item in items]
    return Batch(
        torch.from_numpy(mel),
        torch.tensor([(lead + len(item.mel) + 1) // SCORE_STEP for item in items]),
        torch.from_numpy(np.concatenate(characters)),
        torch.tensor([len(one) for one in characters]),
        torch.from_numpy(np.concatenate(phones)),
        torch.tensor([len(one) for one in phones]),
        torch.from_numpy(np.stack([phones_at(item, padded // SCORE_STEP, lead) for item in items])),
        torch.from_numpy(np.stack([mouth_at(item, padded // SCORE_STEP, lead) for item in items])),
    )


def plan_epoch(lengths: Sequence[int], frames: int, epoch: int, seed: int) -> list[list[int]]:
    """Which utterances share a batch: similar lengths, about `frames` mel frames with their padding.

    The first epoch goes from short to long, which helps CTC at the start (SortaGrad, Amodei et al. 2016); later
    ones are shuffled. Depends on its arguments alone, so a resumed run gets the same batches.
    """
    rng = np.random.default_rng((seed, epoch))
    order = np.argsort(np.asarray(lengths) * rng.uniform(0.95, 1.05, len(lengths)), kind="stable")
    batches: list[list[int]] = [[]]
    for index in order.tolist():
        longest = max([lengths[index], *(lengths[other] for other in batches[-1])])
        if batches[-1] and longest * (len(batches[-1]) + 1) > frames:
            batches.append([])
        batches[-1].append(index)
    if epoch > 0:
        rng.shuffle(batches)
    return batches
