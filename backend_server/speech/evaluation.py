"""How many characters does the acoustic model get wrong, by corpus and with noise?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.speech.acoustic_model import MEL_STEP, CtcAcousticModel
from backend_server.speech.augmentation import add_noise
from backend_server.speech.batches import make_batch, normalised
from backend_server.speech.dataset import Features
from backend_server.speech.decoding import character_error_rate, decode_greedy


@torch.inference_mode()
def evaluate_speech(
    model: CtcAcousticModel,
    features: Sequence[Features],
    noise: NDArray[np.float32] | None = None,
    noise_db: float = 0.0,
) -> dict[str, float]:
    """The character error rate of greedy decoding, by corpus.

    Args:
        model: on the CPU.
        features: utterances with their texts.
        noise: log-mel frames (F, bands) mixed into each utterance, repeated as needed; none for clean speech.
        noise_db: mean speech power over mean noise power, in dB.
    """
    model.eval()
    texts: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for item in (item for item in features if item.text):
        mel = item.mel.astype(np.float32)
        if noise is not None:
            mel = add_noise(mel, np.resize(noise, mel.shape), noise_db)
        batch = make_batch([replace(item, mel=normalised(mel))], lead=MEL_STEP * 8)
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
