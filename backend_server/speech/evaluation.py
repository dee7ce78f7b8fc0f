"""Counts the characters that the acoustic model gets wrong, by corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from backend_server.speech.acoustic_model import MEL_STEP, CtcAcousticModel
from backend_server.speech.batches import make_batch, normalised
from backend_server.speech.dataset import Features
from backend_server.speech.decoding import character_error_rate, decode_greedy


@torch.inference_mode()
def evaluate_speech(model: CtcAcousticModel, features: Sequence[Features]) -> dict[str, float]:
    """The character error rate of greedy decoding, by corpus.

    Args:
        model: on the CPU.
        features: utterances with their texts.
    """
    model.eval()
    texts: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for item in (item for item in features if item.text):
        batch = make_batch([replace(item, mel=normalised(item.mel.astype(np.float32)))], lead=MEL_STEP * 8)
        references, hypotheses = texts[item.corpus]
        references.append(item.text)
        hypotheses.append(decode_greedy(model(batch.mel)[0].numpy()))
    return {corpus: character_error_rate(*pair) for corpus, pair in texts.items()}


def few_of_each(features: Sequence[Features], count: int) -> list[Features]:
    """The first `count` utterances of each corpus."""
    seen: dict[str, int] = defaultdict(int)
    few = []
    for item in features:
        seen[item.corpus] += 1
        if seen[item.corpus] <= count:
            few.append(item)
    return few
