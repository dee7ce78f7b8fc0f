"""How is a training set of synthetic speech made from the texts of real speech?"""

from __future__ import annotations

from pathlib import Path

from backend_server.data.synthetic_corpus import write_synthetic_corpus
from backend_server.progress import Progress
from backend_server.speech.dataset import training_sentences


def synthesize(data: tuple[Path, ...], out: Path, *, hours: float, seed: int, progress: Progress) -> str:
    """Speaks recombinations of the training texts of `data` into `out`; returns one line about it.

    Raises:
        CorpusError: a folder has no usable index.
        SpeechFaceError: espeak-ng is not installed; the sentence says how to get it.
    """
    count = write_synthetic_corpus(
        [sentence.text for sentence in training_sentences(data)], out, hours=hours, seed=seed, progress=progress
    )
    return f"{out}: {count} utterances, {hours:g} hours"
