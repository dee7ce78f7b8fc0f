"""Which utterances are trained on together, and how do they lie in one tensor?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.speech.acoustic_model import MEL_STEP
from backend_server.speech.decoding import encode_text
from backend_server.speech.features import SILENCE, normalise, speech_level

_TAIL_FRAMES = 8  # silence after the longest utterance


@dataclass(frozen=True)
class Batch:
    """Utterances of similar length.

    Attributes:
        mel: (N, F, bands), normalised, surrounded by silence.
        lengths: (N,), the scores of each utterance; the silence after it is left out.
        targets: (sum of target_lengths,), class numbers.
        target_lengths: (N,).
    """

    mel: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor

    def to(self, device: str) -> Batch:
        """The same batch on a device."""
        return Batch(*(t.to(device) for t in (self.mel, self.lengths, self.targets, self.target_lengths)))


def normalised(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel frames (F, bands) relative to the level of their own speech."""
    frames = torch.from_numpy(np.ascontiguousarray(mel))
    return normalise(frames, speech_level(frames)).numpy()


def make_batch(items: Sequence[tuple[NDArray[np.float32], str]], lead: int = 0) -> Batch:
    """A batch of normalised frames (F, bands) and their texts; `lead` frames of silence stand before each."""
    longest = max(len(mel) for mel, _ in items) + lead + _TAIL_FRAMES
    padded = -(-longest // MEL_STEP) * MEL_STEP
    mel = np.full((len(items), padded, items[0][0].shape[1]), SILENCE, np.float32)
    for row, (frames, _) in zip(mel, items, strict=True):
        row[lead : lead + len(frames)] = frames
    targets = [encode_text(text) for _, text in items]
    return Batch(
        torch.from_numpy(mel),
        torch.tensor([(lead + len(frames) + 1) // 2 for frames, _ in items]),
        torch.from_numpy(np.concatenate(targets)),
        torch.tensor([len(target) for target in targets]),
    )


def plan_epoch(lengths: Sequence[int], frames: int, epoch: int, seed: int) -> list[list[int]]:
    """Which utterances share a batch: similar lengths, about `frames` mel frames with their padding.

    The first epoch goes from short to long, which CTC needs to find its footing (SortaGrad, Amodei et al. 2016); later
    ones are shuffled. A function of its arguments, so that a resumed run meets the same batches.
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
