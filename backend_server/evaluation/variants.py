"""What do the context, each loss and the discriminator do (Fig. 6 left and middle)? Networks trained to find out.

All are trained on the same clips, heard once. A trained one is kept, under a name that
changes with all it depends on, so an interrupted or repeated evaluation trains only what is missing.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from backend_server.cascade import Cascade
from backend_server.checkpoints import save_checkpoint
from backend_server.config import PAPER_MOTION, MotionConfig
from backend_server.data.corpus import INDEX, Corpus
from backend_server.data.motion_examples import MotionExample, motion_examples
from backend_server.motion.generator import KIND
from backend_server.motion.training import MotionTrainer
from backend_server.progress import Progress
from backend_server.speech.listener import open_acoustic_model, speech_file

CONTEXTS = (2, 4, 6, 8, 12)
FULL = "retrained, shipped settings"
REGRESSION = "retrained, regression without discriminator"
PAPER = "retrained, the paper's preset"
COMPARED = (FULL, REGRESSION, PAPER)  # those that stand beside the shipped network
LOSSES = {  # one after another, each with those before it
    "Eq. 1": "lambda_dist",
    "+ Eq. 2": "lambda_reg",
    "+ Eq. 3": "lambda_dir",
    "+ Eq. 4": "lambda_gan",
    "+ mouth": "lambda_mouth",  # not in Eq. 5
}


@dataclass(frozen=True)
class Variant:
    """One network to train: its name in tables and its settings."""

    name: str
    config: MotionConfig


def loss_variants(base: MotionConfig) -> list[Variant]:
    """The base with its losses taken in one after another (Fig. 6 middle); the last one is the base itself."""
    used = {name: weight for name, weight in LOSSES.items() if getattr(base, weight) > 0}
    weights = list(used.values())
    return [Variant(name, replace(base, **dict.fromkeys(weights[number:], 0.0))) for number, name in enumerate(used, 1)]


def context_variants(base: MotionConfig) -> list[Variant]:
    """The base with several numbers of samples a window, its own among them (Fig. 6 left)."""
    contexts = sorted({*CONTEXTS, base.context})
    return [Variant(f"context {context}", replace(base, context=context)) for context in contexts]


def variants(base: MotionConfig, paper: MotionConfig = PAPER_MOTION) -> list[Variant]:
    """Everything that is compared. Variants that come to the same settings are trained once.

    Args:
        base: settings of all, with the number of epochs, but for the thing that each changes.
        paper: the paper's own settings.
    """
    beside = [Variant(FULL, base), Variant(REGRESSION, replace(base, lambda_gan=0.0)), Variant(PAPER, paper)]
    return [*beside, *loss_variants(base), *context_variants(base)]


def train_variants(
    wanted: Sequence[Variant],
    *,
    corpus: Corpus,
    weights: Path,
    kept: Path,
    seed: int,
    device: str,
    progress: Progress,
) -> dict[str, Path]:
    """Weights files of motion networks, by the names of the variants.

    Args:
        wanted: what to train.
        corpus: its training clips are trained on.
        weights: folder of the judged weights, for the acoustic model.
        kept: where trained networks are kept and looked for.
        seed: of each training.
        device: where to train.
        progress: told of every clip heard and every epoch.
    """
    speech_weights = speech_file(weights)
    heard = _Heard(corpus, speech_weights, seed, device, progress)
    files = {}
    done, steps = 0, sum(variant.config.epochs for variant in wanted)
    for variant in wanted:
        config = variant.config
        files[variant.name] = file = kept / f"motion-{_fingerprint(config, corpus, speech_weights, seed)}.safetensors"
        progress("variants", done, steps)
        done += config.epochs
        if file.exists():
            continue
        examples, channels = heard(config)
        config = replace(config, channels=channels)
        trainer = MotionTrainer(examples, torch.from_numpy(corpus.neutral_canonical), config, seed, device)
        for epoch in range(config.epochs):
            trainer.set_learning_rate(epoch)
            trainer.epoch()
            progress("variants", done - config.epochs + epoch + 1, steps)
        save_checkpoint(file, KIND, config, trainer.result.state_dict(), {"variant": variant.name})
    progress("variants", steps, steps)
    return files


def with_motion(weights: Path, motion: Path, device: str) -> Cascade:
    """The cascade of a weights folder with another motion network, without texture.

    Args:
        weights: the folder.
        motion: weights file of the other network.
        device: where to run.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(motion, folder / "motion.safetensors")
        for file in (speech_file(weights), weights / "blink.safetensors"):
            shutil.copy(file, folder)
        return Cascade.load(device, folder)


class _Heard:
    """The training clips, heard once for all settings that hear them alike."""

    def __init__(self, corpus: Corpus, speech_weights: Path, seed: int, device: str, progress: Progress) -> None:
        self.corpus, self.speech_weights, self.seed = corpus, speech_weights, seed
        self.device, self.progress = device, progress
        self.known: dict[tuple[str, int, bool], tuple[list[MotionExample], int]] = {}

    def __call__(self, config: MotionConfig) -> tuple[list[MotionExample], int]:
        """The examples and the channels of their features."""
        key = (config.listens_to, config.variations, config.rests_in_silence)
        if key not in self.known:
            model = open_acoustic_model(self.speech_weights, self.device, config.listens_to)
            examples = motion_examples(
                self.corpus.clips("train"),
                model,
                np.random.default_rng(self.seed),
                variations=config.variations,
                rest=self.corpus.neutral_canonical if config.rests_in_silence else None,
                progress=self.progress,
            )
            self.known[key] = (examples, model.channels)
        return self.known[key]


def _fingerprint(config: MotionConfig, corpus: Corpus, speech_weights: Path, seed: int) -> str:
    """Changes with the settings, the clips, the acoustic model and the seed."""
    parts = (repr((config, seed)).encode(), (corpus.path / INDEX).read_bytes(), speech_weights.read_bytes())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]
