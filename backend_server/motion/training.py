"""Trains the l-GAN to move a face to speech (Sections 3.1 and 4.2)."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from backend_server.articulation.visemes import VisemeTable
from backend_server.checkpoints import save_checkpoint
from backend_server.config import MotionConfig
from backend_server.data.articulation_examples import SPEAKER
from backend_server.data.corpus import Corpus, long_enough
from backend_server.data.motion_examples import MotionExample, load_listener, motion_examples
from backend_server.data.training_examples import fitting, training_examples
from backend_server.motion.discriminator import MotionDiscriminator
from backend_server.motion.evaluation import MotionFigures, evaluate_motion
from backend_server.motion.generator import KIND, MotionGenerator
from backend_server.motion.losses import discriminator_loss, motion_losses
from backend_server.motion.sequence import read_at
from backend_server.pca import fit_pca
from backend_server.progress import Progress, silent
from backend_server.training.average import running_average
from backend_server.training.schedule import falling_from_the_middle, set_learning_rate
from backend_server.training.state import Part, TrainingState, settings_of, state_path
from shared.errors import CorpusError

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochLosses:
    """Means over one epoch: the terms of Eq. 5 and of the mouth before their weights, and the discriminator's loss."""

    distance: float
    regularisation: float
    direction: float
    adversarial: float
    mouth: float
    closure: float
    spread: float
    discriminator: float


@dataclass(frozen=True)
class MotionResult:
    """The result of a training.

    Attributes:
        losses: of the last epoch; None when no epoch was left.
        known: figures on held-out sentences of people trained on; None when the corpus has none.
        unknown: figures on people never trained on; None when the corpus has none.
    """

    losses: EpochLosses | None
    known: MotionFigures | None
    unknown: MotionFigures | None


def draw_chances(speakers: Sequence[str], config: MotionConfig) -> NDArray[np.float64]:
    """How often each example is drawn, (E,), sums to 1, given its speaker."""
    counts = Counter(speakers)
    chances = np.array([counts[speaker] ** -config.speaker_balance for speaker in speakers])
    is_modelled = np.array([speaker == SPEAKER for speaker in speakers])
    if not is_modelled.any() or is_modelled.all():
        return chances / chances.sum()
    for group, share in ((is_modelled, config.modelled_share), (~is_modelled, 1 - config.modelled_share)):
        chances[group] *= share / chances[group].sum()
    return chances


class MotionTrainer:
    """One training run of the l-GAN.

    Args:
        examples: training clips of one length or several; batches are runs of consecutive frames, no longer than the
            shortest clip.
        neutral_canonical: (68, 2).
        config: sizes, weights, settings.
        seed: of weights, order and variations.
        device: of the networks.
    """

    def __init__(
        self,
        examples: Sequence[MotionExample],
        neutral_canonical: Tensor,
        config: MotionConfig,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.examples, self.config, self.device = examples, config, device
        self.random = np.random.default_rng(seed)
        self.neutral = neutral_canonical.to(device)
        self.run_frames = min(config.run_frames, *(len(example.frame_times) for example in examples))
        self.chances = draw_chances([example.speaker for example in examples], config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator, self.discriminator = MotionGenerator(config), MotionDiscriminator(config)
        self._initialise(neutral_canonical)
        self.generator.to(device)
        self.discriminator.to(device)
        self.average = running_average(self.generator, config.averaging)
        self.generator_steps = torch.optim.AdamW(
            self.generator.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.discriminator_steps = torch.optim.Adam(self.discriminator.parameters(), lr=config.learning_rate)

    def _initialise(self, neutral: Tensor) -> None:
        """Principal components of as much motion of each speaker as is drawn in training (Section 4.2)."""
        drawn = [self.examples[i] for i in self.random.choice(len(self.examples), 200, p=self.chances)]
        motion = torch.from_numpy(np.concatenate([example.canonical for example in drawn])) - neutral
        features = np.concatenate([view.features for example in drawn for view in example.views])
        components = fit_pca(motion.flatten(1), self.config.components)
        self.generator.initialise(components, neutral, torch.from_numpy(features))
        self.discriminator.initialise(components, neutral)

    def draw_batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Runs of consecutive frames.

        Returns:
            Features (N, before + U + after, C), where the frames lie among the U in the middle, (N, T), canonical
            landmarks (N, T, 68, 2), and which of them are modelled, (N,).
        """
        heard, places, targets, is_modelled = [], [], [], []
        for index in self.random.choice(len(self.examples), self.config.batch_size, p=self.chances):
            example = self.examples[index]
            is_clean = len(example.views) == 1 or self.random.random() < self.config.clean_share
            view = example.views[0 if is_clean else self.random.integers(1, len(example.views))]
            first = self.random.integers(len(example.frame_times) - self.run_frames + 1)
            run = slice(first, first + self.run_frames)
            shift = self.random.uniform(-1, 1) * self.config.jitter_seconds
            heard.append(view)
            places.append(view.positions(example.frame_times[run], shift))
            targets.append(example.canonical[run])
            is_modelled.append(example.speaker == SPEAKER)
        begins = [math.floor(place[0]) for place in places]
        before, after = self.generator.before, self.generator.after
        count = max(math.ceil(place[-1]) - begin for place, begin in zip(places, begins, strict=True)) + 1
        features = [
            view.around(begin - before, before + count + after) for view, begin in zip(heard, begins, strict=True)
        ]
        positions = [place - begin for place, begin in zip(places, begins, strict=True)]
        modelled = torch.tensor(is_modelled, device=self.device)
        return self._tensor(features), self._tensor(positions), self._tensor(targets), modelled

    def _tensor(self, arrays: list[NDArray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self.device)

    def step(self) -> EpochLosses:
        """One step of the discriminator and one of the generator."""
        features, positions, target, is_modelled = self.draw_batch()
        generated = self.neutral + read_at(self.generator(features), positions)
        judged = discriminator_loss(self.discriminator(target), self.discriminator(generated.detach()))
        self.discriminator_steps.zero_grad()
        judged.backward()
        self.discriminator_steps.step()
        terms = motion_losses(generated, target, self.discriminator(generated), is_modelled, self.config)
        self.generator_steps.zero_grad()
        terms.total.backward()
        if self.config.gradient_limit:
            clip_grad_norm_(self.generator.parameters(), self.config.gradient_limit)
        self.generator_steps.step()
        self.average.update_parameters(self.generator)
        parts = (
            terms.distance,
            terms.regularisation,
            terms.direction,
            terms.adversarial,
            terms.mouth,
            terms.closure,
            terms.spread,
            judged,
        )
        return EpochLosses(*(float(part.detach()) for part in parts))

    def set_learning_rate(self, epoch: int) -> None:
        """Sets both learning rates to those of an epoch, counted from 0: falling over the second half if decayed."""
        share = falling_from_the_middle(epoch / self.config.epochs) if self.config.is_decayed else 1.0
        set_learning_rate(share * self.config.learning_rate, self.generator_steps, self.discriminator_steps)

    @property
    def parts(self) -> dict[str, Part]:
        """Everything that a step changes."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "generator_steps": self.generator_steps,
            "discriminator_steps": self.discriminator_steps,
            "random": self.random,
        }

    @property
    def result(self) -> MotionGenerator:
        """The generator with its averaged weights."""
        return cast(MotionGenerator, self.average.module)

    def epoch(self) -> EpochLosses:
        """Takes as many steps as the examples fill batches."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.random.integers(2**63)))  # of the dropout
            count = max(len(self.examples) // self.config.batch_size, 1)
            steps = [dataclasses.astuple(self.step()) for _ in range(count)]
        return EpochLosses(*np.array(steps, np.float64).mean(0).tolist())


def _judge(
    generator: MotionGenerator, held_out: Sequence[MotionExample], known: set[str]
) -> list[MotionFigures | None]:
    """Figures on held-out clips of known and of unknown people."""
    groups = ([e for e in held_out if e.speaker in known], [e for e in held_out if e.speaker not in known])
    return [evaluate_motion(generator, group) if group else None for group in groups]


def train_motion(
    *,
    corpus: Path,
    speech_weights: Path,
    out: Path,
    device: str = "cpu",
    resume: bool = False,
    seed: int = 0,
    config: MotionConfig | None = None,
    speech: Sequence[Path] = (),
    visemes: VisemeTable | None = None,
    progress: Progress = silent,
) -> MotionResult:
    """Trains the l-GAN on the training clips of a corpus and writes the generator's weights.

    Args:
        corpus: folder of a prepared corpus.
        speech_weights: weights file of the acoustic model.
        out: weights file to write.
        device: where to train.
        resume: continue from the state that an interrupted training left beside `out`.
        seed: the same seed gives the same weights on the same machine.
        config: settings; the defaults of `MotionConfig` when None. Its channels are those of the acoustic model.
        speech: folders of transcribed speech without pictures: it is heard, and its texts are said by synthetic
            voices, with modelled motion.
        visemes: of the modelled motion; the shipped table when None.
        progress: told of every clip that is listened to and of every epoch.

    Raises:
        CorpusError: the corpus is missing or has no training clips.
        WeightsError: the acoustic model cannot be read, or the state to resume belongs to another training.
    """
    data = Corpus(corpus)
    clips = data.clips("train")
    if not clips:
        raise CorpusError(f"The corpus {corpus} has no training clips; prepare it again.")
    config = config or MotionConfig()
    clips = long_enough(clips, config.run_frames)
    model = load_listener(speech_weights, device, config.listens_to)
    config = fitting(config, model)
    random = np.random.default_rng(seed)
    examples = training_examples(clips, model, data.neutral_canonical, config, random, speech, visemes, progress)
    held_out = motion_examples(data.clips("val"), model, random)
    trainer = MotionTrainer(examples, torch.from_numpy(data.neutral_canonical), config, seed, device)
    state = TrainingState(state_path(out), trainer.parts, settings_of(config, "epochs"))
    done = state.load() if resume else {}
    losses = None
    for epoch in range(int(done.get("epoch", 0)), config.epochs):
        trainer.set_learning_rate(epoch)
        losses = trainer.epoch()
        LOG.info("epoch %d: %s", epoch + 1, losses)
        state.save(epoch=epoch + 1)
        progress("motion", epoch + 1, config.epochs)
    generator = trainer.result.cpu().eval()
    known, unknown = _judge(generator, held_out, {clip.speaker for clip in clips})
    notes = {}
    for name, figures in (("known people", known), ("unknown people", unknown)):
        if figures:
            LOG.info("%s: %s", name, figures.sentence())
            notes[name] = figures.sentence()
    save_checkpoint(out, KIND, config, generator.state_dict(), notes)
    state.remove()
    return MotionResult(losses, known, unknown)
