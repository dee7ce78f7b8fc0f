"""What do the losses, the parts of the network and the episodes do (Table 3, Fig. 8)? Networks trained to find out.

Each row of `ABLATIONS` changes some settings of `TextureConfig`, and is trained as long as every other one. A trained
network is kept under a name that changes with all it depends on, so an interrupted or repeated evaluation trains only
what is missing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend_server.checkpoints import load_checkpoint
from backend_server.config import PAPER_TEXTURE, TextureConfig, TextureTrainingConfig
from backend_server.data.corpus import INDEX, Corpus
from backend_server.identity import FaceReferences, Identity
from backend_server.progress import Progress
from backend_server.texture.learning.episodes import PairSampler, load_faces
from backend_server.texture.learning.fine_tuning import adapt
from backend_server.texture.learning.trainer import TextureTrainer
from backend_server.texture.networks.presets import KIND, load_texture_generator, save_texture_generator
from backend_server.texture.render import render, tuned_generator
from backend_server.texture.synthesis import TextureGenerator
from backend_server.training.schedule import falling_cosine

SHIPPED = TextureConfig()
WARM_UP_SHARE = 0.25  # of the updates, before the discriminator takes part
EPISODES_AN_UPDATE = 2
FEWER_UPDATES = 8
UPDATES, SECONDS = "updates", "seconds"  # notes in a weights file


@dataclass(frozen=True)
class Ablation:
    """A row of the ablation: what it is called and what it changes.

    Attributes:
        name: as it stands in the table.
        changes: of `base`, by the name of the setting.
        base: whose settings are changed.
        epochs: of fine-tuning before it is judged.
    """

    name: str
    changes: Mapping[str, object] = field(default_factory=dict)
    base: TextureConfig = SHIPPED
    epochs: int = 10

    @property
    def config(self) -> TextureConfig:
        """The settings of the row."""
        return replace(self.base, **self.changes)


SHIPPED_SETTINGS = "all losses (Eq. 8, 9 and 10), shipped settings"
ABLATIONS = (  # a further difference from the paper is one further row
    Ablation("Eq. 8 alone", {"lambda_feat": 0.0, "lambda_adv": 0.0}),
    Ablation("Eq. 8 and 10", {"lambda_adv": 0.0}),
    Ablation(SHIPPED_SETTINGS),
    Ablation("squares in Eq. 8 and 10, as printed", {"pixel_norm": 2}),
    Ablation("mouth and eyes weigh as all else", {"mouth_weight": 0.0, "eye_weight": 0.0}),
    Ablation("no loss of sharpness", {"lambda_sharp": 0.0}),
    Ablation("one reference instead of attention", {"attends": False}),
    Ablation("teeth move with the lips", {"has_teeth": False}),
    Ablation("hair, jaw and neck follow the head rigidly", {"follows": False}),
    Ablation("the warp is not corrected", {"flow_reach": 0.0}),
    Ablation("repaints where it learns to, not first where mouth and lids change", {"has_mask_prior": False}),
    Ablation("every pixel is shaded", {"shading_cell": 1}),
    # One step takes forty times as long as one of the shipped network.
    Ablation("the paper's network and settings, tuned for 1 epoch", base=PAPER_TEXTURE, epochs=1),
)


@dataclass(frozen=True)
class Budget:
    """How long each network is trained: so many updates, or so many minutes if they end first."""

    updates: int = 400
    minutes: float = 15.0

    @property
    def sentence(self) -> str:
        """In words."""
        return f"{self.updates} updates, or {self.minutes:g} minutes where those end first"


USUAL_BUDGET = Budget()  # all rows within an hour and a half on two cores


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
    """One network to train; see `TextureVariants`."""

    config: TextureConfig
    budget: Budget
    start: Path | None = None
    is_meta_learned: bool = False

    def rate_share(self, share: float) -> float:
        """Learning rate of pairs after a share of the training: falling from the full one, or that of episodes."""
        if self.start:  # a full rate would first undo what was learnt
            return self.config.outer_learning_rate / self.config.learning_rate
        return falling_cosine(share)


class TextureVariants:
    """Trains texture networks on the training people of a corpus, each as long as the others.

    Args:
        corpus: its training clips are trained on.
        kept: where trained networks are kept and looked for.
        budget: of each network.
        seed: of each training.
        device: where to train.
        progress: receives ("texture variants", done, of the running one), in thousandths.
        training: how.
    """

    def __init__(
        self,
        corpus: Corpus,
        kept: Path,
        budget: Budget,
        seed: int,
        device: str,
        progress: Progress,
        training: TextureTrainingConfig | None = None,
    ) -> None:
        self.corpus, self.kept, self.budget, self.seed = corpus, kept, budget, seed
        self.device, self.progress = device, progress
        warm_up = round(WARM_UP_SHARE * budget.updates)
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
        beginning = wanted.start.read_bytes() if wanted.start else b""
        settings = (wanted.config, wanted.budget, wanted.is_meta_learned, self.training, self.seed)
        parts = (repr(settings).encode(), (self.corpus.path / INDEX).read_bytes(), beginning)
        whole = b"".join(hashlib.sha256(part).digest() for part in parts)
        file = self.kept / f"texture-{hashlib.sha256(whole).hexdigest()[:16]}.safetensors"
        if not file.exists():
            trainer = TextureTrainer(wanted.config, self.training, self.device, self.seed)
            if wanted.start:
                trainer.start_from(wanted.start)
            if trainer.wants_following:
                trainer.generator.following.load_state_dict(self._following)
            self._run(trainer, wanted, file)
        return TrainedNetwork(file, self.device)

    def _run(self, trainer: TextureTrainer, wanted: _Training, file: Path) -> None:
        """Trains until the budget is spent and writes the averaged weights."""
        sampler, training, rng = self._sampler, self.training, np.random.default_rng(self.seed)
        sizes = training.support_images, training.query_images
        started, updates, share, seconds = time.monotonic(), 0, 0.0, 0.0
        while share < 1:
            self.progress("texture variants", int(1000 * share), 1000)
            references = int(rng.choice(training.references))
            if wanted.is_meta_learned:
                trainer.episode_step([sampler.episode(*sizes, rng, references) for _ in range(EPISODES_AN_UPDATE)])
            else:
                trainer.pair_step(sampler.pairs(training.batch_size, rng, references), wanted.rate_share(share))
            updates += 1
            seconds = time.monotonic() - started
            share = max(updates / wanted.budget.updates, seconds / (60 * wanted.budget.minutes))
        self.progress("texture variants", 1000, 1000)
        save_texture_generator(file, trainer.trained(), {UPDATES: str(updates), SECONDS: f"{seconds:.0f}"})

    @cached_property
    def _following(self) -> dict[str, Tensor]:
        """Fitted once: it depends on no other setting."""
        trainer = TextureTrainer(SHIPPED, self.training, self.device, self.seed)
        trainer.fit_following(self._sampler, self.progress)
        return trainer.generator.following.state_dict()

    @cached_property
    def _sampler(self) -> PairSampler:
        training, rng = self.training, np.random.default_rng(self.seed)
        limits = {"clips_per_speaker": training.clips_per_speaker, "every_nth": training.every_nth_frame}
        clips = load_faces(self.corpus, "train", **limits, rng=rng, progress=self.progress)
        return PairSampler(clips, training.far_pair_share)
