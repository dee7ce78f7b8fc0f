"""Trains the network from landmarks to ARKit's blend shapes on what a face tracker scored."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.arkit.network import KIND, LEARNT, ArkitNetwork
from backend_server.checkpoints import save_checkpoint
from backend_server.config import ArkitConfig
from backend_server.data.arkit_examples import ArkitExample, arkit_examples
from backend_server.data.corpus import Clip, Corpus
from backend_server.metrics.arkit import ArkitFigures, arkit_figures
from backend_server.progress import Progress, silent
from backend_server.training.schedule import falling_from_the_middle, set_learning_rate
from backend_server.training.state import Part, TrainingState, settings_of, state_path
from shared.errors import CorpusError

LOG = logging.getLogger(__name__)
LEAST_REST, MOST_REST = 1e-4, 0.95  # of a score at rest, so that its logit is of ordinary size
_SAVE_EVERY = 400  # steps


@dataclass(frozen=True)
class ArkitResult:
    """The result of a training; None where the corpus has no such clips.

    Attributes:
        loss: mean of the last hundred steps.
        known: figures on held-out sentences of people trained on.
        unknown: figures on people never trained on.
    """

    loss: float
    known: ArkitFigures | None
    unknown: ArkitFigures | None


def draw_chances(clips: Sequence[Clip], counted_clips: int) -> NDArray[np.float64]:
    """How often each clip is drawn, (E,), sums to 1: people alike, those with few clips less."""
    counts = Counter(clip.speaker for clip in clips)
    chances = np.array([min(1.0, counted_clips / counts[clip.speaker]) for clip in clips])
    return chances / chances.sum()


def logits(scores: Tensor) -> Tensor:
    """Logits of scores, of any shape, that lie neither at 0 nor at 1."""
    return torch.logit(scores.clamp(LEAST_REST, MOST_REST))


class ArkitTrainer:
    """One training run.

    Args:
        examples: training clips.
        config: sizes and settings.
        seed: of weights, order and noise.
        device: of the network.
    """

    def __init__(self, examples: Sequence[ArkitExample], config: ArkitConfig, seed: int, device: str = "cpu") -> None:
        self.config = config
        self.random = np.random.default_rng(seed)
        self.noise = torch.Generator().manual_seed(seed)
        chances = draw_chances([example.clip for example in examples], config.counted_clips)
        lengths = [len(example.scores) for example in examples]
        self._bounds = np.repeat(chances / lengths, lengths).cumsum()  # of each frame's share of the draws
        self._motion = torch.from_numpy(np.concatenate([example.displacements for example in examples]))
        self._scores = torch.from_numpy(np.concatenate([example.scores for example in examples]))
        self._rest = logits(torch.from_numpy(np.repeat([example.rest for example in examples], lengths, axis=0)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = ArkitNetwork(config)
        people = {example.clip.speaker: example.rest for example in examples}
        self.network.usual_rest.copy_(logits(torch.from_numpy(np.stack(list(people.values())))).median(0).values)
        shares = torch.from_numpy(np.diff(self._bounds, prepend=0.0)).float()[:, None]
        moved = self._scores - self._rest.sigmoid()
        self._spread = (shares * moved.square()).sum(0).sqrt().clamp_min(config.least_spread).to(device)
        self.network.to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    @property
    def parts(self) -> dict[str, Part]:
        """Everything that a step changes."""
        network: dict[str, Part] = {"network": self.network, "optimiser": self.optimiser}
        return network | {"random": self.random, "noise": self.noise}

    def set_progress(self, share: float) -> None:
        """Sets the learning rate for a share of the training done: full at first, falling to zero from the middle."""
        set_learning_rate(self.config.learning_rate * falling_from_the_middle(share), self.optimiser)

    def step(self) -> float:
        """Draws frames, takes one step, and returns the loss: squared errors of scores over their spread."""
        drawn = self.random.random(self.config.batch_size) * self._bounds[-1]
        frames = torch.from_numpy(np.searchsorted(self._bounds, drawn, side="right"))
        motion = self._motion[frames]
        motion = motion + self.config.noise * torch.randn(motion.shape, generator=self.noise)
        device = self._spread.device
        made = self.network(motion.to(device), self._rest[frames].to(device))
        errors = (made - self._scores[frames].to(device)) / self._spread
        loss = errors[:, list(LEARNT)].square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def evaluate_arkit(network: ArkitNetwork, examples: Sequence[ArkitExample]) -> ArkitFigures | None:
    """Mean figures over clips, then over people; None without clips."""
    by_person: dict[str, list[ArkitFigures]] = {}
    device = network.usual_rest.device
    for example in examples:
        made = network.weights(torch.from_numpy(example.displacements).to(device)).cpu().numpy()
        by_person.setdefault(example.clip.speaker, []).append(arkit_figures(made, example.weights))
    return ArkitFigures.mean([ArkitFigures.mean(own) for own in by_person.values()]) if by_person else None


def train_arkit(
    *,
    corpus: Path,
    out: Path,
    device: str = "cpu",
    resume: bool = False,
    seed: int = 0,
    config: ArkitConfig | None = None,
    progress: Progress = silent,
) -> ArkitResult:
    """Trains the network on the training clips of a corpus and writes its weights.

    Args:
        corpus: folder of a prepared corpus.
        out: weights file to write.
        device: where to train.
        resume: continue from the state that an interrupted training left beside `out`.
        seed: the same seed gives the same weights on the same machine.
        config: settings; the defaults of `ArkitConfig` when None.
        progress: told of every step.

    Raises:
        CorpusError: the corpus is missing, has no training clips, or was prepared without ARKit's scores.
        WeightsError: the state to resume belongs to another training.
    """
    data, config = Corpus(corpus), config or ArkitConfig()
    clips = data.clips("train")
    if not clips:
        raise CorpusError(f"The corpus {corpus} has no training clips; prepare it again.")
    trainer = ArkitTrainer(arkit_examples(clips, data.neutral_canonical), config, seed, device)
    held_out = arkit_examples(data.clips("val"), data.neutral_canonical)
    state, losses = TrainingState(state_path(out), trainer.parts, settings_of(config, "steps")), []
    done = state.load() if resume else {}
    for step in range(int(done.get("step", 0)), config.steps):
        trainer.set_progress(step / config.steps)
        losses.append(trainer.step())
        progress("arkit", step + 1, config.steps)
        if (step + 1) % _SAVE_EVERY == 0:
            LOG.info("step %d: loss %.4f", step + 1, np.mean(losses[-_SAVE_EVERY:]))
            state.save(step=step + 1)
    network, trained = trainer.network.cpu().eval(), {clip.speaker for clip in clips}
    known, unknown = (
        evaluate_arkit(network, [e for e in held_out if (e.clip.speaker in trained) == is_known])
        for is_known in (True, False)
    )
    loss = float(np.mean(losses[-100:])) if losses else float("nan")
    notes = {"loss": f"{loss:.5f}"}
    for name, figures in (("known people", known), ("unknown people", unknown)):
        if figures:
            LOG.info("%s: %s", name, figures.sentence())
            notes[name] = figures.sentence()
    save_checkpoint(out, KIND, config, network.state_dict(), notes)
    state.remove()
    return ArkitResult(loss, known, unknown)
