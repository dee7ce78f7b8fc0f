"""Holds the state of one training run of t-GAN and takes its steps.

Phase 1 learns from pairs, with the discriminator after a warm-up; phase 2 from episodes (Fig. 3).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from backend_server.config import TextureConfig, TextureTrainingConfig
from backend_server.progress import Progress
from backend_server.texture.learning import losses
from backend_server.texture.learning.augmentation import AugmentationStrength
from backend_server.texture.learning.episodes import Episode, Pairs, PairSampler
from backend_server.texture.learning.following_fit import fit_following
from backend_server.texture.learning.meta_learning import Weights, outer_gradient
from backend_server.texture.learning.objective import (
    Batch,
    FeatureNetwork,
    condition,
    generator_objective,
    make_batch,
    region_weights,
)
from backend_server.texture.networks.discriminator import build_discriminator
from backend_server.texture.networks.presets import build_generator, load_texture_generator
from backend_server.texture.synthesis import Synthesis, TextureGenerator
from backend_server.training.average import mix_in, running_average
from backend_server.training.schedule import set_learning_rate
from backend_server.training.state import Part, TrainingState, settings_of
from backend_server.training.workers import ALONE, Workers
from shared.errors import WeightsError

LOG = logging.getLogger(__name__)

_AVERAGING = 0.998  # of the running mean of the weights, which is what gets shipped
_LARGEST_GRADIENT = 1.0
_SLIGHT = AugmentationStrength(bend=3.0)  # strongly bent heads do not turn like real ones
_FOLLOWING_PAIRS = 16
_PARTS = ("pixel", "adversarial", "perceptual", "sharpness")  # of the objective, for the log


@dataclass
class TextureTrainer:
    """Networks, optimisers and counters of one training run.

    Attributes:
        config: of the networks.
        training: of the run.
        device: where it runs.
        feature_networks: of Eq. 10; the discriminator's features when empty.
        workers: the processes that train together.
        step: steps of phase 1 done so far.
        episodes: episodes of phase 2 done so far.
        start: the weights it began with, if not random ones.
    """

    config: TextureConfig
    training: TextureTrainingConfig
    device: str = "cpu"
    seed: int = 0
    feature_networks: Sequence[FeatureNetwork] = ()
    workers: Workers = ALONE
    step: int = 0
    episodes: int = 0
    start: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)  # PyTorch draws the first weights of a layer from its global generator
        layout = torch.channels_last
        self.generator = build_generator(self.config).to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.discriminator = build_discriminator(self.config).to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.average = running_average(self.generator, _AVERAGING, is_quick_at_first=True)
        rate = self.config.learning_rate
        self.optimiser = torch.optim.Adam(self.generator.parameters(), rate, betas=(0.5, 0.99))
        self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), rate, betas=(0.5, 0.99))
        self.outer_optimiser = torch.optim.Adam(self.generator.parameters(), self.config.outer_learning_rate)
        self.random = torch.Generator().manual_seed(self.seed + self.workers.rank)

    def state(self, path: Path) -> TrainingState:
        """All that a step changes, as it is kept in a file; `step`, `episodes` and the time are its counters."""
        parts: dict[str, Part] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "optimiser": self.optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
            "outer_optimiser": self.outer_optimiser,
            "start": self.start,
            "random": self.random,
        }
        judging = {"feature networks": ", ".join(network.name for network in self.feature_networks) or "none"}
        return TrainingState(path, parts, settings_of(self.config) | judging)

    def save(self, path: Path, seconds: float) -> None:
        """Keeps all that `resume` needs, and the seconds spent so far."""
        self.state(path).save(step=self.step, episodes=self.episodes, seconds=seconds)

    def resume(self, path: Path) -> float:
        """Continues from what `save` wrote; returns the seconds spent until then.

        Raises:
            WeightsError: the file is missing, damaged, or of a run with other networks or losses.
        """
        counters = self.state(path).load()
        if not counters:
            raise WeightsError(f"there is no run to resume: {path} is missing; train without --resume")
        self.step, self.episodes = int(counters["step"]), int(counters["episodes"])
        if not self.workers.is_first:  # its own random numbers were not kept
            self.random.manual_seed(self.seed + self.workers.rank + self.step)
        return counters["seconds"]

    @property
    def is_warm(self) -> bool:
        """Tells whether the discriminator takes part."""
        return self.step >= self.training.warm_up_steps

    def agree(self) -> None:
        """Gives every process the first one's networks."""
        for network in (self.generator, self.discriminator):
            self.workers.agree_on(network.state_dict().values())

    def start_from(self, path: Path) -> None:
        """Begins with the networks of a weights file, after the warm-up if it holds a discriminator.

        Raises:
            WeightsError: the file is missing, damaged, or of networks of other sizes.
        """
        started = load_texture_generator(path, self.device)
        try:
            self.start = started.state_dict()
            self.generator.load_state_dict(self.start)
            for judge in started.judges:
                self.discriminator.load_state_dict(judge.state_dict())
                self.step = self.training.warm_up_steps
        except RuntimeError as error:
            sentence = f"{path} holds texture networks of other sizes; train without --start"
            raise WeightsError(sentence, detail=str(error)) from error

    @property
    def wants_following(self) -> bool:
        """Tells whether what the warp does without landmarks must still be fitted."""
        is_used = self.config.preset == "warp" and self.config.follows
        return is_used and not self.generator.following.is_fitted

    def fit_following(self, sampler: PairSampler, progress: Progress) -> None:
        """Fits what the warp does without landmarks."""
        rng, random = np.random.default_rng(self.seed), torch.Generator().manual_seed(self.seed)

        def next_batch() -> Batch:
            pairs, training = sampler.pairs(_FOLLOWING_PAIRS, rng, 1), self.training
            slight = replace(_SLIGHT, yaw=training.yaw, pitch=training.pitch)
            return make_batch(pairs, slight, 0.0, random, self.device, training.turned_share)

        steps = self.training.following_steps
        before, after = fit_following(self.generator.following, next_batch, steps, progress)
        LOG.info("following: mean difference of warped references %.4f, before %.4f", after, before)

    def batch(self, pairs: Pairs) -> Batch:
        """Pairs as tensors, changed at random."""
        training = self.training
        strength = AugmentationStrength(yaw=training.yaw, pitch=training.pitch)
        return make_batch(pairs, strength, training.other_photo_share, self.random, self.device, training.turned_share)

    def pair_step(self, pairs: Pairs, rate_share: float = 1.0) -> dict[str, float]:
        """One step of phase 1; returns its losses by name.

        Args:
            pairs: of any speakers.
            rate_share: of the full learning rate.
        """
        set_learning_rate(self.config.learning_rate * rate_share, self.optimiser, self.discriminator_optimiser)
        batch = self.batch(pairs)
        report: dict[str, float] = {}
        self.discriminator.requires_grad_(False)
        objective = generator_objective(
            self.generator,
            batch,
            discriminator=self.discriminator if self.is_warm else None,
            feature_networks=self.feature_networks,
        )
        self.optimiser.zero_grad(set_to_none=True)
        objective.total.backward()
        self.workers.average_gradients(self.generator.parameters())
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        # The discriminator begins to learn a hundred steps before it judges.
        if self.step >= self.training.warm_up_steps - 100:
            report["discriminator"] = self._discriminator_step(batch, objective.synthesis)
        self.step += 1
        self.average.update_parameters(self.generator)
        report |= {name: float(getattr(objective, name).detach()) for name in _PARTS}
        return report | {"mask": float(objective.synthesis.mask.detach().mean())}

    def _discriminator_step(self, batch: Batch, synthesis: Synthesis) -> float:
        self.discriminator.requires_grad_(True)
        reference = condition(self.generator, synthesis, batch.references)
        real = self.discriminator(self.generator.in_window(batch.targets), reference).score
        fake = self.discriminator(self.generator.in_window(synthesis.picture).detach(), reference).score
        loss = losses.discriminator_loss(real, fake, region_weights(self.generator, batch.landmarks))
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.workers.average_gradients(self.discriminator.parameters())
        self.discriminator_optimiser.step()
        return float(loss.detach())

    def episode_step(self, episodes: Sequence[Episode]) -> float:
        """One update of the global weights from several tasks; returns the mean query loss."""
        self.discriminator.requires_grad_(False)

        def loss(weights: Weights, batch: Batch) -> Tensor:
            def forward(*inputs: object) -> Synthesis:
                return functional_call(self.generator, dict(weights), inputs)

            return generator_objective(
                self.generator,
                batch,
                discriminator=self.discriminator if self.is_warm else None,
                feature_networks=self.feature_networks,
                forward=forward,
            ).total

        weights = dict(self.generator.named_parameters())
        total = 0.0
        self.outer_optimiser.zero_grad(set_to_none=True)
        for episode in episodes:
            outer = outer_gradient(
                loss,
                weights,
                self.batch(episode.support),
                self.batch(episode.query),
                steps=self.training.inner_steps,
                step_size=self.config.inner_step_size,
                is_second_order=self.training.is_second_order,
            )
            total += float(outer.loss) / (self.training.inner_steps * len(episodes))
            for name, weight in weights.items():
                share = outer.gradients[name] / len(episodes)
                weight.grad = share if weight.grad is None else weight.grad + share
        self.workers.average_gradients(self.generator.parameters())
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), _LARGEST_GRADIENT)
        self.outer_optimiser.step()
        self.episodes += len(episodes)
        self.average.update_parameters(self.generator)
        return total

    def adopt_averages(self) -> None:
        """Gives the generator the averaged weights, as phase 2 starts from them."""
        if int(self.average.n_averaged):
            self.generator.load_state_dict(self.average.module.state_dict())

    def trained(self, start_share: float = 0.0) -> TextureGenerator:
        """A generator of the averaged weights on the CPU, with the discriminator as its judge.

        Args:
            start_share: share of the weights that the training began with, in the mean of both.
        """
        generator, judge = build_generator(self.config), build_discriminator(self.config)
        generator.load_state_dict(self.average.module.state_dict())
        if self.start:
            mix_in(generator, self.start, start_share)
        judge.load_state_dict(self.discriminator.state_dict())
        generator.judges = (judge,)
        return generator.eval()
