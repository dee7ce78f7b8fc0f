"""Makes synthetic training speech from the texts of real speech."""

from __future__ import annotations

from pathlib import Path

from backend_server.commands.output_folder import output_folder
from backend_server.config import SAMPLE_RATE
from backend_server.data.synthetic_corpus import write_synthetic_corpus
from backend_server.progress import Progress
from backend_server.speech.dataset import training_sentences

BYTES_PER_SECOND = 2 * SAMPLE_RATE  # of a 16-bit WAV file


def synthesize(data: tuple[Path, ...], out: Path, *, hours: float, seed: int, progress: Progress) -> str:
    """Speaks recombined training texts of `data` into `out`; returns one line about it.

    Raises:
        CorpusError: a folder has no usable index, or none has an English sentence to train on.
        NoSpaceError: the disk has too little room.
        SpeechFaceError: espeak-ng is not installed; the sentence says how to get it.
        ValueRangeError: `out` is a file, or cannot be written.
    """
    texts = [sentence.text for sentence in training_sentences(data)]
    with output_folder(out, int(hours * 3600 * BYTES_PER_SECOND)) as folder:
        count = write_synthetic_corpus(texts, folder, hours=hours, seed=seed, progress=progress)
    return f"{out}: {count} utterances, {hours:g} hours"
