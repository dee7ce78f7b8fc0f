"""Trains G_B to blink (Sections 3.2 and 4.2)."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend_server.blink.generator import KIND, BlinkGenerator
from backend_server.blink.losses import median_bandwidths, mmd_loss, range_loss
from backend_server.blink.sampling import drawn_statistics
from backend_server.blink.targets import LOWER_LIDS, UPPER_LIDS, BlinkTargets, collect_targets, compose
from backend_server.checkpoints import save_checkpoint
from backend_server.config import CORPUS_FRAME_RATE, BlinkConfig
from backend_server.data.corpus import Corpus
from backend_server.metrics.blink import BlinkStatistics, blink_statistics
from backend_server.metrics.landmarks import eye_aspect_ratio
from backend_server.pca import fit_pca
from backend_server.progress import Progress, silent
from backend_server.training.schedule import falling_from_the_middle, set_learning_rate
from backend_server.training.state import Part, TrainingState, settings_of, state_path
from shared.errors import CorpusError

LOG = logging.getLogger(__name__)

TIMELINES = 40  # of 45 seconds, in which rate and duration are measured
_SAVE_EVERY = 200  # steps


@dataclass(frozen=True)
class BlinkResult:
    """The result of a training.

    Attributes:
        loss: mean of the last hundred steps.
        corpus: blinking in the training clips as they are.
        generated: blinking in half an hour of generated motion, from which sampling corrects rate and duration.
    """

    loss: float
    corpus: BlinkStatistics
    generated: BlinkStatistics


def views(displacements: Tensor, basis: Tensor, offsets: list[int], crop: int) -> list[Tensor]:
    """What MMD compares of a set of sequences, each (N, D) with N samples.

    A kernel on whole sequences sees two equal blinks at different times as two different things. So besides the whole
    sequence, as in the paper, short crops are compared, and what does not depend on time: the lid gaps and their
    speeds in order of size, and single steps from frame to frame, whose narrow kernel forbids jitter between blinks.

    Args:
        displacements: (N, T, 22, 2).
        basis: principal directions, (C, 44).
        offsets: first frames of the crops.
        crop: frames of a crop.
    """
    codes = displacements.flatten(2) @ basis.T  # (N, T, C)
    vertical = displacements[..., 1]
    gaps = vertical[..., list(LOWER_LIDS)].mean(-1) - vertical[..., list(UPPER_LIDS)].mean(-1)  # (N, T)
    speeds = gaps.diff(dim=1)
    crops = [codes[:, start : start + crop].flatten(1) for start in offsets]
    steps = codes.diff(dim=1)[:, offsets].flatten(0, 1)  # (N * crops, C)
    return [codes.flatten(1), gaps.sort(1).values, speeds.sort(1).values, steps, *crops]


class BlinkTrainer:
    """One training run of G_B on sequences made from `targets`.

    Args:
        targets: real blinks and calm motion.
        neutral_canonical: (68, 2).
        config: sizes and settings; the number of components is found here.
        seed: of weights, noise and sequences.
        device: of the network.
    """

    def __init__(
        self, targets: BlinkTargets, neutral_canonical: Tensor, config: BlinkConfig, seed: int, device: str = "cpu"
    ) -> None:
        self.targets, self.device = targets, device
        self.random = np.random.default_rng(seed)
        self.noise = torch.Generator().manual_seed(seed)
        self.config = config
        sample = self._draw_targets(512)
        components = fit_pca(sample.flatten(0, 1).flatten(1), variance=config.pca_variance)
        self.config = dataclasses.replace(config, components=len(components.components))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = BlinkGenerator(self.config)
        self.generator.initialise(components, neutral_canonical)
        self.generator.to(device)
        self.basis = components.components.to(device)
        self.bandwidths = [
            median_bandwidths(view, config.bandwidth_factors)
            for view in views(sample.to(device), self.basis, [0], config.crop_frames)
        ]
        self.optimiser = torch.optim.Adam(self.generator.parameters(), lr=config.learning_rate)

    def _draw_targets(self, count: int) -> Tensor:
        drawn = compose(self.targets, count, self.config.frames, CORPUS_FRAME_RATE, self.config, self.random)
        return torch.from_numpy(drawn)

    def set_progress(self, share: float) -> None:
        """Sets the learning rate for a share of the training done: full at first, falling to zero from the middle."""
        set_learning_rate(self.config.learning_rate * falling_from_the_middle(share), self.optimiser)

    @property
    def parts(self) -> dict[str, Part]:
        """Everything that a step changes."""
        network: dict[str, Part] = {"generator": self.generator, "optimiser": self.optimiser}
        return network | {"random": self.random, "noise": self.noise}

    def step(self) -> float:
        """Draws real and generated sequences, takes one step of Adam, and returns the loss."""
        config = self.config
        real = self._draw_targets(config.batch_size).to(self.device)
        noise = torch.randn(config.batch_size, config.frames, config.noise_size, generator=self.noise)
        generated = self.generator(noise.to(self.device))
        offsets = self.random.integers(config.frames - config.crop_frames + 1, size=config.crops).tolist()
        pairs = zip(
            views(real, self.basis, offsets, config.crop_frames),
            views(generated, self.basis, offsets, config.crop_frames),
            strict=True,
        )
        loss = config.lambda_range * range_loss(real, generated)
        for index, (first, second) in enumerate(pairs):
            loss = loss + mmd_loss(first, second, self.bandwidths[min(index, 4)])
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())


def train_blink(
    *,
    corpus: Path,
    out: Path,
    device: str = "cpu",
    resume: bool = False,
    seed: int = 0,
    config: BlinkConfig | None = None,
    progress: Progress = silent,
) -> BlinkResult:
    """Trains G_B on the training clips of a corpus and writes its weights.

    Args:
        corpus: folder of a prepared corpus.
        out: weights file to write.
        device: where to train.
        resume: continue from the state that an interrupted training left beside `out`.
        seed: the same seed gives the same weights on the same machine.
        config: settings; the defaults of `BlinkConfig` when None.
        progress: told of every step.

    Raises:
        CorpusError: the corpus is missing, or its training clips hold no clear blink.
        WeightsError: the state to resume belongs to another training.
    """
    data = Corpus(corpus)
    clips = [clip.landmarks().canonical for clip in data.clips("train")]
    if not clips:
        raise CorpusError(f"The corpus {corpus} has no training clips; prepare it again.")
    neutral = data.neutral_canonical
    targets = collect_targets(clips, neutral, CORPUS_FRAME_RATE)
    real = blink_statistics([eye_aspect_ratio(clip) for clip in clips], CORPUS_FRAME_RATE)
    LOG.info("%d clear blinks of %d; %.2f a second", len(targets.blinks), real.count, real.rate)
    trainer = BlinkTrainer(targets, torch.from_numpy(neutral), config or BlinkConfig(), seed, device)
    steps, losses = trainer.config.steps, []
    state = TrainingState(state_path(out), trainer.parts, settings_of(trainer.config, "steps"))
    done = state.load() if resume else {}
    for step in range(int(done.get("step", 0)), steps):
        trainer.set_progress(step / steps)
        losses.append(trainer.step())
        progress("blink", step + 1, steps)
        if (step + 1) % _SAVE_EVERY == 0:
            LOG.info("step %d: loss %.4f", step + 1, np.mean(losses[-_SAVE_EVERY:]))
            state.save(step=step + 1)
    generator = trainer.generator.cpu().eval()
    generated = drawn_statistics(generator, TIMELINES, seed + 1)
    if np.isfinite(generated.duration):  # a network that learnt nothing does not blink
        generator.config = dataclasses.replace(
            generator.config, drawn_per_second=generated.rate, drawn_seconds=generated.duration
        )
    LOG.info(
        "generated: %.2f blinks a second of %.2f s, depth %.2f", generated.rate, generated.duration, generated.depth
    )
    loss = float(np.mean(losses[-100:])) if losses else float("nan")
    notes = {"loss": f"{loss:.5f}", "rate": f"{generated.rate:.3f}", "duration": f"{generated.duration:.3f}"}
    save_checkpoint(out, KIND, generator.config, generator.state_dict(), notes)
    state.remove()
    return BlinkResult(loss, real, generated)
