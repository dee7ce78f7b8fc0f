"""Chooses which utterances are trained on together, and puts them into one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.config import SAMPLE_RATE
from backend_server.speech.acoustic_model import position_count
from backend_server.speech.dataset import Example
from backend_server.speech.decoding import encode_text
from backend_server.speech.encoder import LEAD, STEP, TAIL

UNKNOWN = -1  # class number
MOUTH_SPANS = 6


@dataclass(frozen=True)
class Batch:
    """Utterances of similar length.

    Attributes:
        waveforms: (N, S), surrounded by silence.
        lengths: (N,), the scores of each utterance; the silence after it is left out.
        characters: (sum of character_counts,), class numbers.
        character_counts: (N,); 0 where the text is not known.
        phones: (sum of phone_counts,), class numbers of the utterances whose phones have no known times.
        phone_counts: (N,); 0 for the others.
        timed_phones: (N, U), the class number at each score, or `UNKNOWN`.
        mouths: (N, U, 6), what the mouth does at each score; NaN where unknown.
    """

    waveforms: Tensor
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


def phones_at(item: Example, count: int) -> NDArray[np.int64]:
    """The class number of the phone at each of `count` scores, (count,); `UNKNOWN` where there is none."""
    seconds = np.arange(count) * (STEP / SAMPLE_RATE)
    current = np.searchsorted(item.begins, seconds, side="right") - 1
    is_known = (current >= 0) & (seconds < len(item.waveform) / SAMPLE_RATE)
    return np.where(is_known, item.phones[current.clip(min=0)] if len(item.begins) else UNKNOWN, UNKNOWN)


def mouth_at(item: Example, count: int) -> NDArray[np.float32]:
    """What the mouth does at each of `count` scores, (count, 6); NaN where unknown."""
    mouth = np.full((count, MOUTH_SPANS), np.nan, np.float32)
    if item.mouth is not None:
        known = min(count, position_count(len(item.waveform)))
        positions = np.arange(known) * ((len(item.mouth) - 1) * STEP / len(item.waveform))
        mouth[:known] = np.stack([np.interp(positions, np.arange(len(item.mouth)), span) for span in item.mouth.T], 1)
    return mouth


def make_batch(items: Sequence[Example]) -> Batch:
    """A batch of utterances whose waveforms are f32 at the level that the network is used to."""
    count = position_count(max(len(item.waveform) for item in items))
    waveforms = np.zeros((len(items), LEAD + (count - 1) * STEP + TAIL), np.float32)
    for row, item in zip(waveforms, items, strict=True):
        row[LEAD : LEAD + len(item.waveform)] = item.waveform
    characters = [encode_text(item.text) for item in items]
    phones = [item.phones[: 0 if len(item.begins) else None] for item in items]
    return Batch(
        torch.from_numpy(waveforms),
        torch.tensor([position_count(len(item.waveform)) for item in items]),
        torch.from_numpy(np.concatenate(characters)),
        torch.tensor([len(one) for one in characters]),
        torch.from_numpy(np.concatenate(phones)),
        torch.tensor([len(one) for one in phones]),
        torch.from_numpy(np.stack([phones_at(item, count) for item in items])),
        torch.from_numpy(np.stack([mouth_at(item, count) for item in items])),
    )


def plan_epoch(lengths: Sequence[int], samples: int, epoch: int, seed: int) -> list[list[int]]:
    """Which utterances share a batch: similar lengths, about so many samples with their padding.

    Depends on its arguments alone, so a resumed run gets the same batches.
    """
    rng = np.random.default_rng((seed, epoch))
    order = np.argsort(np.asarray(lengths) * rng.uniform(0.95, 1.05, len(lengths)), kind="stable")
    batches: list[list[int]] = [[]]
    for index in order.tolist():
        longest = max([lengths[index], *(lengths[other] for other in batches[-1])])
        if batches[-1] and longest * (len(batches[-1]) + 1) > samples:
            batches.append([])
        batches[-1].append(index)
    rng.shuffle(batches)
    return batches
