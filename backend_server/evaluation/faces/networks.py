"""Trains texture networks to compare them, each as long as the others, and keeps them for the next run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend_server.checkpoints import load_checkpoint
from backend_server.config import TextureConfig, TextureTrainingConfig
from backend_server.evaluation.kept import training_data
from backend_server.evaluation.run import Budget, Context
from backend_server.identity import FaceReferences, Identity
from backend_server.texture.learning.episodes import PairSampler, load_faces
from backend_server.texture.learning.fine_tuning import adapt
from backend_server.texture.learning.trainer import TextureTrainer
from backend_server.texture.networks.presets import KIND, load_texture_generator, save_texture_generator
from backend_server.texture.render import render, tuned_generator
from backend_server.texture.synthesis import TextureGenerator
from backend_server.training.schedule import falling_cosine

WARM_UP_SHARE = 0.25  # of the updates, before the discriminator takes part
EPISODES_PER_UPDATE = 2
FEWER_UPDATES = 8
UPDATES, SECONDS = "updates", "seconds"  # notes in a weights file


class TrainedNetwork:
    """A texture network from a weights file, as what learns and renders faces.

    Args:
        file: of the weights.
        device: where to run.
    """

    def __init__(self, file: Path, device: str) -> None:
        self.file, self.device = file, device

    @property
    def weights_version(self) -> str:
        """Twelve hexadecimal digits that change with the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:12]

    @cached_property
    def notes(self) -> Mapping[str, str]:
        """How it was trained."""
        return load_checkpoint(self.file, KIND, TextureConfig)[2]

    @cached_property
    def generator(self) -> TextureGenerator:
        """The network."""
        return load_texture_generator(self.file, self.device)

    def fine_tune(self, references: FaceReferences, *, epochs: int, seed: int) -> Identity:
        """The identity of some faces."""
        return adapt(self.generator, references, epochs=epochs, seed=seed, weights_version=self.weights_version)

    def render(self, identity: Identity, landmarks: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Pictures in chunks (n, 256, 256, 4), from landmarks (T, 68, 2) in pixels."""
        return render(tuned_generator(self.generator, identity), identity.references, landmarks)


@dataclass(frozen=True)
class _Training:
    """One network to train; see `Networks`."""

    config: TextureConfig
    budget: Budget
    start: Path | None = None
    is_meta_learned: bool = False

    def rate_share(self, share: float) -> float:
        """Learning rate of pairs after a share of the training: falling from the full one, or that of episodes."""
        if self.start:  # a full rate would first undo what was learnt
            return self.config.outer_learning_rate / self.config.learning_rate
        return falling_cosine(share)


class Networks:
    """Trains texture networks on the training people of a corpus.

    Args:
        context: with corpus, budget, seed and device. The progress receives ("texture networks", done, of the running
            one), in thousandths.
        training: how.
    """

    def __init__(self, context: Context, training: TextureTrainingConfig | None = None) -> None:
        self.context, self.budget = context, context.settings.texture_budget
        self.device, self.progress, self.seed = context.settings.device, context.progress, context.seed
        warm_up = round(WARM_UP_SHARE * self.budget.updates)
        self.training = replace(training or TextureTrainingConfig(), warm_up_steps=warm_up)

    def from_pairs(self, config: TextureConfig) -> TrainedNetwork:
        """A network of these settings, trained from random weights on pairs (phase 1)."""
        return self._kept(_Training(config, self.budget))

    def further(self, start: Path, *, is_meta_learned: bool) -> TrainedNetwork:
        """The network of a weights file, trained further: on episodes (phase 2, Fig. 3) or on pairs as before.

        An update from episodes takes about eight times as long as one from pairs, so there are fewer of both.
        """
        budget = replace(self.budget, updates=max(1, self.budget.updates // FEWER_UPDATES))
        return self._kept(_Training(load_texture_generator(start).config, budget, start, is_meta_learned))

    def _kept(self, wanted: _Training) -> TrainedNetwork:
        start = [wanted.start] if wanted.start else []
        settings = (wanted.config, wanted.budget, wanted.is_meta_learned, self.training, self.seed)
        depends_on = (*start, *settings, self._data)
        return TrainedNetwork(self.context.kept.file("texture", depends_on, partial(self._train, wanted)), self.device)

    def _train(self, wanted: _Training, path: Path) -> None:
        trainer = TextureTrainer(wanted.config, self.training, self.device, self.seed)
        if wanted.start:
            trainer.start_from(wanted.start)
        if trainer.wants_following:
            trainer.generator.following.load_state_dict(self._following)
        self._run(trainer, wanted, path)

    @cached_property
    def _data(self) -> str:
        return training_data(self.context.corpus)

    def _run(self, trainer: TextureTrainer, wanted: _Training, file: Path) -> None:
        """Trains until the budget is spent and writes the averaged weights."""
        sampler, training, rng = self._sampler, self.training, np.random.default_rng(self.seed)
        sizes = training.support_images, training.query_images
        started, updates, share, seconds = time.monotonic(), 0, 0.0, 0.0
        while share < 1:
            self.progress("texture networks", int(1000 * share), 1000)
            references = int(rng.choice(training.references))
            if wanted.is_meta_learned:
                trainer.episode_step([sampler.episode(*sizes, rng, references) for _ in range(EPISODES_PER_UPDATE)])
            else:
                trainer.pair_step(sampler.pairs(training.batch_size, rng, references), wanted.rate_share(share))
            updates += 1
            seconds = time.monotonic() - started
            share = max(updates / wanted.budget.updates, seconds / (60 * wanted.budget.minutes))
        self.progress("texture networks", 1000, 1000)
        save_texture_generator(file, trainer.trained(), {UPDATES: str(updates), SECONDS: f"{seconds:.0f}"})

    @cached_property
    def _following(self) -> dict[str, Tensor]:
        """Fitted once: it depends on no other setting."""
        trainer = TextureTrainer(TextureConfig(), self.training, self.device, self.seed)
        trainer.fit_following(self._sampler, self.progress)
        return trainer.generator.following.state_dict()

    @cached_property
    def _sampler(self) -> PairSampler:
        training, rng = self.training, np.random.default_rng(self.seed)
        limits = {"clips_per_speaker": training.clips_per_speaker, "every_nth": training.every_nth_frame}
        clips = load_faces(self.context.corpus, "train", **limits, rng=rng, progress=self.progress)
        return PairSampler(clips, training.far_pair_share)
