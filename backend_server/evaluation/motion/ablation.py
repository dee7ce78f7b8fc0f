"""Trains motion networks with other contexts and losses, and judges them (Fig. 6 left and middle).

All are trained on the same clips, heard once. A trained one is kept for the next run.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from backend_server.cascade import Cascade
from backend_server.checkpoints import save_checkpoint
from backend_server.config import PAPER_MOTION, MotionConfig
from backend_server.data.motion_examples import MotionExample, motion_examples
from backend_server.evaluation import paper
from backend_server.evaluation.kept import training_data
from backend_server.evaluation.motion.accuracy import COLUMNS, Method, animated, judge_groups
from backend_server.evaluation.page.charts import Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.run import Context
from backend_server.motion.generator import KIND
from backend_server.motion.training import MotionTrainer
from backend_server.speech.listener import open_acoustic_model, speech_file

CONTEXTS = (2, 4, 6, 8, 12)
FULL = "shipped settings"
REGRESSION = "regression without discriminator"
PAPER = "the paper's preset"
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


def run(context: Context) -> Section:
    """Pictures of the LMD by context and by losses, and all figures of every variant on the held-out groups."""
    base = replace(MotionConfig(), epochs=context.settings.epochs)
    methods: dict[str, Method] = {}
    for name, file in train_variants(context, variants(base)).items():
        cascade = with_motion(context.settings.weights, file, context.settings.device)
        methods[name] = partial(animated, cascade)
    figures = judge_groups(methods, context.held_out, "variants", context.progress)

    def lmd(positions: dict) -> dict[str, dict]:
        of_group = figures.items()
        return {group: {at: rows[name].lips_lmd for at, name in positions.items()} for group, rows in of_group}

    contexts = {one.config.context: one.name for one in context_variants(base)}
    losses = {one.name: one.name for one in loss_variants(base)}
    panels = [
        Panel("Context (Fig. 6 left)", "samples a window, 33 ms apart", lmd(contexts), marked=paper.CONTEXT),
        Panel("Losses (Fig. 6 middle)", "", lmd(losses)),
    ]
    draw_panels(context.folder / "ablations.png", panels, "lip landmarks LMD, pixels")
    return Section(
        "Context and losses of the motion network",
        (
            f"Motion networks trained for {base.epochs} epochs each on the corpus alone, from the shipped settings "
            "with one thing changed: the number of samples in a window, or losses left out. Compare them with one "
            "another rather than with the shipped network, which was trained otherwise. The paper's preset has its "
            f"own length of {PAPER_MOTION.epochs} epochs.",
            f"The paper finds the lowest LMD at {paper.CONTEXT} samples (198 ms) and with all losses of Eq. 5; its "
            "Fig. 6 prints no values.",
        ),
        tuple(Table.of_figures(f"Variants, {group}", COLUMNS, rows) for group, rows in figures.items()),
        (Picture("ablations.png", "LMD of the lip landmarks by context and by losses."),),
    )


def loss_variants(base: MotionConfig) -> list[Variant]:
    """The base with its losses taken in one after another (Fig. 6 middle); the last one is the base itself."""
    used = {name: weight for name, weight in LOSSES.items() if getattr(base, weight) > 0}
    weights = list(used.values())
    return [Variant(name, replace(base, **dict.fromkeys(weights[number:], 0.0))) for number, name in enumerate(used, 1)]


def context_variants(base: MotionConfig) -> list[Variant]:
    """The base with several numbers of samples a window, its own among them (Fig. 6 left)."""
    contexts = sorted({*CONTEXTS, base.context})
    return [Variant(f"context {context}", replace(base, context=context)) for context in contexts]


def variants(base: MotionConfig, preset: MotionConfig = PAPER_MOTION) -> list[Variant]:
    """Everything that is compared. Variants that come to the same settings are trained once.

    Args:
        base: settings of all, with the number of epochs, but for the thing that each changes.
        preset: the paper's own settings.
    """
    beside = [Variant(FULL, base), Variant(REGRESSION, replace(base, lambda_gan=0.0)), Variant(PAPER, preset)]
    return [*beside, *loss_variants(base), *context_variants(base)]


def train_variants(context: Context, wanted: Sequence[Variant]) -> dict[str, Path]:
    """Weights files of motion networks, by the names of the variants."""
    heard, speech_weights = _Heard(context), speech_file(context.settings.weights)
    data = training_data(context.corpus)
    files = {}
    done, steps = 0, sum(variant.config.epochs for variant in wanted)
    for variant in wanted:
        config = variant.config
        context.progress("variants", done, steps)
        train = partial(_train, context, heard, variant, done, steps)
        depends_on = (speech_weights, config, context.seed, data)
        files[variant.name] = context.kept.file("motion", depends_on, train)
        done += config.epochs
    context.progress("variants", steps, steps)
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

    def __init__(self, context: Context) -> None:
        self.context = context
        self.known: dict[tuple[str, int, bool], tuple[list[MotionExample], int]] = {}

    def __call__(self, config: MotionConfig) -> tuple[list[MotionExample], int]:
        """The examples and the channels of their features."""
        key, context = (config.listens_to, config.variations, config.rests_in_silence), self.context
        if key not in self.known:
            speech_weights = speech_file(context.settings.weights)
            model = open_acoustic_model(speech_weights, context.settings.device, config.listens_to)
            examples = motion_examples(
                context.corpus.clips("train"),
                model,
                np.random.default_rng(context.seed),
                variations=config.variations,
                rest=context.corpus.neutral_canonical if config.rests_in_silence else None,
                progress=context.progress,
            )
            self.known[key] = (examples, model.channels)
        return self.known[key]


def _train(context: Context, heard: _Heard, variant: Variant, done: int, steps: int, path: Path) -> None:
    """Trains one network and writes its weights file; `done` of `steps` epochs of all networks lie behind it."""
    examples, channels = heard(variant.config)
    config = replace(variant.config, channels=channels)
    neutral = torch.from_numpy(context.corpus.neutral_canonical)
    trainer = MotionTrainer(examples, neutral, config, context.seed, context.settings.device)
    for epoch in range(config.epochs):
        trainer.set_learning_rate(epoch)
        trainer.epoch()
        context.progress("variants", done + epoch + 1, steps)
    save_checkpoint(path, KIND, config, trainer.result.state_dict(), {"variant": variant.name})
