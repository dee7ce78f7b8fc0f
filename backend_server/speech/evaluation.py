"""Counts the characters that the acoustic model gets wrong, by corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from backend_server.speech.acoustic_model import CtcAcousticModel
from backend_server.speech.dataset import Example
from backend_server.speech.decoding import character_error_rate, decode_greedy


def evaluate_speech(model: CtcAcousticModel, examples: Sequence[Example]) -> dict[str, float]:
    """The character error rate of greedy decoding, by corpus.

    Args:
        model: in evaluation mode.
        examples: utterances with their texts.
    """
    texts: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for item in (item for item in examples if item.text):
        references, hypotheses = texts[item.corpus]
        references.append(item.text)
        hypotheses.append(decode_greedy(model.scores(item.waveform.astype(np.float32) / np.float32(32767))))
    return {corpus: character_error_rate(*pair) for corpus, pair in texts.items()}


def few_of_each(examples: Sequence[Example], count: int) -> list[Example]:
    """The first `count` utterances of each corpus."""
    seen: dict[str, int] = defaultdict(int)
    few = []
    for item in examples:
        seen[item.corpus] += 1
        if seen[item.corpus] <= count:
            few.append(item)
    return few
