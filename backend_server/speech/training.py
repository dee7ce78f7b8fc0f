"""Trains the acoustic model on folders of transcribed speech, and judges it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.checkpoints import in_eight_bits, save_checkpoint
from backend_server.config import SpeechConfig
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import KIND
from backend_server.speech.dataset import Example, Utterance, load_examples, read_index
from backend_server.speech.evaluation import evaluate_speech, few_of_each
from backend_server.speech.moonshine import read_moonshine
from backend_server.speech.trainer import SpeechTrainer
from backend_server.training.schedule import Budget, Interval
from backend_server.training.state import state_path
from shared.errors import CorpusError

LOG = logging.getLogger(__name__)
_JUDGED_ON_THE_WAY = 40  # utterances of each corpus
_DEFAULT_CONFIG = SpeechConfig()


def train_speech(
    *,
    corpora: Sequence[Path],
    encoder: Path,
    out: Path,
    config: SpeechConfig = _DEFAULT_CONFIG,
    resume: bool = False,
    start: Path | None = None,
    transcribe: Callable[[str], Sequence[str]] | None = None,
    mouth_of: Callable[[Utterance, float], NDArray[np.float32] | None] | None = None,
    device: str = "cpu",
    minutes: float | None = None,
    checkpoint_minutes: float = 3.0,
    seed: int = 0,
    processes: int = 1,
    progress: Progress = silent,
) -> dict[str, float]:
    """Trains the acoustic model and writes its weights.

    Args:
        corpora: folders with an `index.tsv` (see `dataset`); the split "train" is trained on, "val" is judged.
        encoder: Moonshine's encoder to begin with, as `moonshine` reads it.
        out: the weights file, rewritten at every checkpoint; the state of the run and a folder with the waveforms
            are kept beside it.
        config: the network and the length of the run.
        resume: continue from the state beside `out`, if there is one.
        start: weights of an earlier run to begin with, unless one is resumed.
        transcribe: the phones of an English text; without it only phones that the corpora name are learned.
        mouth_of: what the mouth does in an utterance of so many seconds (`data.mouth_targets`).
        device: where to compute.
        minutes: when to stop, to be resumed later; no limit when None.
        checkpoint_minutes: how often the state is kept and the errors are logged.
        seed: of everything random.
        processes: how many read the files.
        progress: told of every step.

    Returns:
        The character error rate on "val" by corpus.

    Raises:
        CorpusError: a folder has no usable index, or there is nothing to train on.
        WeightsError: the encoder or the weights to start from cannot be read, or the state to resume belongs to
            another run.
    """
    hear = partial(
        load_examples,
        cache=out.parent / f"{out.stem}_run",
        processes=processes,
        transcribe=transcribe,
        mouth_of=mouth_of,
        progress=progress,
    )
    train, judged = _train_and_val(corpora, hear)
    train += _measured_mouths(train) * (config.mouth_repeats - 1)
    trainer = SpeechTrainer(config, read_moonshine(encoder), train, seed, device)
    if start:
        trainer.start_from(start)
    if resume:
        trainer.resume(state_path(out))
    LOG.info("%d utterances to train on, step %d of %d", len(trainer.examples), trainer.step, trainer.steps)
    return _train(trainer, judged, out, minutes, checkpoint_minutes, progress)


def _train_and_val(
    corpora: Sequence[Path], hear: Callable[[Sequence[Utterance]], list[Example]]
) -> tuple[list[Example], list[Example]]:
    """What is trained on, at least one utterance, and what is judged, as `hear` hears them."""
    utterances = [utterance for folder in corpora for utterance in read_index(folder)]
    train, judged = (hear([u for u in utterances if u.split == split]) for split in ("train", "val"))
    if not train:
        raise CorpusError(f"no utterance of {', '.join(map(str, corpora))} can be trained on; check the split column")
    return train, judged


def _measured_mouths(items: Sequence[Example]) -> list[Example]:
    """Those whose mouth was measured in pictures; a modelled one comes with the times of its phones."""
    return [item for item in items if item.mouth is not None and not len(item.begins)]


def _train(
    trainer: SpeechTrainer,
    judged: Sequence[Example],
    out: Path,
    minutes: float | None,
    checkpoint_minutes: float,
    progress: Progress,
) -> dict[str, float]:
    """Trains to the last step or for so many minutes, and judges; returns the error rates by corpus."""
    few = few_of_each(judged, _JUDGED_ON_THE_WAY)
    budget, between = Budget(trainer.steps, minutes), Interval(60 * checkpoint_minutes)
    losses: list[float] = []
    while budget.share(trainer.step) < 1:
        losses.append(trainer.advance())
        progress("training speech", trainer.step, trainer.steps)
        if between.is_over:
            _checkpoint(trainer, out, few, losses[-50:])
            between.restart()
    return _checkpoint(trainer, out, judged, losses[-50:])


def _checkpoint(
    trainer: SpeechTrainer, out: Path, judged: Sequence[Example], losses: Sequence[float]
) -> dict[str, float]:
    """Keeps the state, writes the weights with their errors as notes, and logs them."""
    trainer.save(state_path(out))
    errors = evaluate_speech(trainer.network(), judged)
    notes = {"step": str(trainer.step)} | {f"cer_{corpus}": f"{rate:.4f}" for corpus, rate in errors.items()}
    save_checkpoint(out, KIND, trainer.config, in_eight_bits(trainer.weights()), notes)
    mean = sum(losses) / max(len(losses), 1)
    shown = ", ".join(f"{corpus} {rate:.3f}" for corpus, rate in errors.items()) or "not judged"
    LOG.info("step %d of %d: loss %.3f; character error rate: %s", trainer.step, trainer.steps, mean, shown)
    return errors
