"""Trains motion networks to compare them, on clips that are heard once for all, and keeps them for the next run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from backend_server.articulation.visemes import WEIGHTS as VISEMES
from backend_server.articulation.visemes import visemes_beside
from backend_server.cascade import Cascade
from backend_server.checkpoints import save_checkpoint
from backend_server.config import MotionConfig
from backend_server.data.corpus import INDEX, Clip
from backend_server.data.motion_examples import MotionExample
from backend_server.data.training_examples import fitting, training_examples
from backend_server.evaluation.kept import training_data
from backend_server.evaluation.run import Context
from backend_server.motion.generator import KIND
from backend_server.motion.training import MotionTrainer
from backend_server.speech.acoustic_model import AcousticModel
from backend_server.speech.listener import open_acoustic_model, speech_file


@dataclass(frozen=True)
class Training:
    """One motion network to train.

    Attributes:
        name: as a row of a table, and as a note in the weights file.
        config: its settings.
        left_out: the person whose clips it never sees; empty for nobody.
    """

    name: str
    config: MotionConfig
    left_out: str = ""


class Networks:
    """Trains motion networks on the same clips.

    Args:
        context: of the experiment.
        clips: what is trained on.
        speech: folder of transcribed speech, which is heard with modelled motion as `train motion` does; or None.
    """

    def __init__(self, context: Context, clips: Sequence[Clip], speech: Path | None = None) -> None:
        self.context, self.clips, self.speech = context, clips, speech
        self._heard: dict[tuple[object, ...], list[MotionExample]] = {}

    def files(self, trainings: Sequence[Training], stage: str) -> dict[str, Path]:
        """Weights files of networks by their names, trained where they are not kept.

        Args:
            trainings: what is wanted; those that come to the same settings are trained once.
            stage: what the progress is called; it counts epochs.
        """
        files, done, total = {}, 0, sum(one.config.epochs for one in trainings)
        data = self._data()

        def told_after(before: int) -> Callable[[int], None]:
            return lambda epochs: self.context.progress(stage, before + epochs, total)

        for training in trainings:
            told = told_after(done)
            told(0)
            train = partial(self._train, training, told)
            files[training.name] = self.context.kept.file("motion", (*data, training.config, training.left_out), train)
            done += training.config.epochs
        self.context.progress(stage, total, total)
        return files

    def _data(self) -> tuple[object, ...]:
        """What all networks depend on."""
        weights = self.context.settings.weights
        names = [f"{clip.speaker}/{clip.name}" for clip in self.clips]
        modelled = (self.speech / INDEX, _viseme_file(weights)) if self.speech else ()
        return speech_file(weights), self.context.seed, training_data(self.context.corpus), names, *modelled

    def _train(self, training: Training, told: Callable[[int], None], path: Path) -> None:
        """Trains one network and writes its weights file."""
        config = fitting(training.config, self._listener(training.config.listens_to))
        examples = self._examples(config)
        seen = [one for one in examples if one.speaker != training.left_out]
        neutral = torch.from_numpy(self.context.corpus.neutral_canonical)
        trainer = MotionTrainer(seen, neutral, config, self.context.seed, self.context.settings.device)
        for epoch in range(config.epochs):
            trainer.set_learning_rate(epoch)
            trainer.epoch()
            told(epoch + 1)
        save_checkpoint(path, KIND, config, trainer.result.state_dict(), {"variant": training.name})

    def _listener(self, listens_to: Literal["hidden", "scores"]) -> AcousticModel:
        settings = self.context.settings
        return open_acoustic_model(speech_file(settings.weights), settings.device, listens_to)

    def _examples(self, config: MotionConfig) -> list[MotionExample]:
        """The examples, heard once for all settings that hear them alike."""
        names = ("listens_to", "variations", "rests_in_silence", "has_usual_amplitude")
        names += ("synthetic_clips", "recorded_clips") if self.speech and config.modelled_share > 0 else ()
        key = tuple(getattr(config, name) for name in names)
        if key not in self._heard:
            context = self.context
            self._heard[key] = training_examples(
                self.clips,
                self._listener(config.listens_to),
                context.corpus.neutral_canonical,
                config,
                np.random.default_rng(context.seed),
                [self.speech] if self.speech else [],
                visemes_beside(context.settings.weights),
                context.progress,
            )
        return self._heard[key]


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
        for file in (speech_file(weights), weights / "blink.safetensors", weights / "arkit.safetensors"):
            shutil.copy(file, folder)
        return Cascade.load(device, folder)


def _viseme_file(weights: Path) -> Path:
    beside = weights / VISEMES.name
    return beside if beside.exists() else VISEMES
