"""Trains t-GAN on a prepared corpus, from start to finish.

Phase 1 learns from pairs of pictures and brings in the discriminator after a warm-up; phase 2, the last fifth of the
time, runs episodes (Fig. 3). The averaged weights are written with every checkpoint and when a run is stopped. A run
from earlier weights writes the mean of those and its own: it keeps what it learns and forgets less.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend_server.config import TEXTURE_PRESETS, TextureConfig, TextureTrainingConfig
from backend_server.data.corpus import Corpus
from backend_server.progress import Progress, silent
from backend_server.texture.colours import to_pictures
from backend_server.texture.learning.episodes import Pairs, PairSampler, load_faces
from backend_server.texture.learning.objective import FeatureNetwork
from backend_server.texture.learning.perceptual import VGG19, VGGFACE, load_features
from backend_server.texture.learning.trainer import TextureTrainer
from backend_server.texture.networks.presets import save_texture_generator
from backend_server.texture.synthesis import References, TextureGenerator
from backend_server.training.schedule import Budget, Interval, falling_cosine
from backend_server.training.state import state_path
from backend_server.training.workers import joined
from shared.errors import Cancelled, ValueRangeError

LOG = logging.getLogger(__name__)

_EPISODES_PER_UPDATE = 2
_REPORT_STEPS = 50
_VALIDATION_PAIRS = 16
_START_SHARE = 0.5  # of earlier weights in what is written


@dataclass(frozen=True)
class TextureResult:
    """What a training came to.

    Attributes:
        updates: of this run, earlier sessions included.
        seconds: that they took.
        psnr: of pictures of held-out people, dB; None when the corpus has none.
        warped_psnr: of their warped references alone, dB.
    """

    updates: int
    seconds: float
    psnr: float | None = None
    warped_psnr: float | None = None

    def sentence(self) -> str:
        """The numbers as people read them."""
        made = f"{self.updates} updates in {self.seconds:.0f} s"
        if self.psnr is None:
            return made
        return f"{made}; held-out PSNR {self.psnr:.2f} dB, of the warp alone {self.warped_psnr:.2f} dB"


@torch.no_grad()
def validation_psnr(generator: TextureGenerator, pairs: Pairs) -> tuple[float, float]:
    """Mean PSNR in dB of the pictures and of the warped references alone, over whole pictures."""
    scores, still = [], []
    for i in range(0, len(pairs.targets), 4):
        images = torch.from_numpy(pairs.references[i : i + 4])
        pictures = to_pictures(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        references = References(pictures, torch.from_numpy(pairs.reference_landmarks[i : i + 4]))
        made = generator(torch.from_numpy(pairs.target_landmarks[i : i + 4]), references)
        target = to_pictures(torch.from_numpy(pairs.targets[i : i + 4]))
        scores += _psnr(made.picture, target)
        still += _psnr(made.warped, target)
    return float(np.mean(scores)), float(np.mean(still))


def _psnr(pictures: Tensor, targets: Tensor) -> list[float]:
    error = ((pictures.clamp(-1, 1) - targets) / 2).square().mean((1, 2, 3))
    return (-10 * error.clamp_min(1e-10).log10()).tolist()


def _check(preset: str, minutes: float | None, steps: int | None) -> None:
    if preset not in TEXTURE_PRESETS:
        raise ValueRangeError(f"there is no texture preset {preset!r}; choose one of {', '.join(TEXTURE_PRESETS)}")
    if (minutes is None) == (steps is None):
        raise ValueRangeError("give either the minutes or the steps to train the texture network")


def train_texture(
    *,
    corpus: Path,
    out: Path,
    preset: str = "warp",
    resume: bool = False,
    start: Path | None = None,
    device: str = "cpu",
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    vgg19: Path | None = None,
    vggface: Path | None = None,
    training: TextureTrainingConfig | None = None,
    progress: Progress = silent,
) -> TextureResult:
    """Trains t-GAN and writes its weights.

    Args:
        corpus: folder that `prepare` wrote.
        out: the weights file; the run's state is kept beside it.
        preset: "warp" or "paper".
        resume: continue that run.
        start: weights of an earlier run to begin with, unless one is resumed.
        device: "cpu", "cuda" or "cuda:N"; with several processes of `torchrun`, "cuda" is one GPU for each.
        minutes: how long to train; give this or `steps`.
        steps: how many updates to make, those of episodes included.
        seed: of the first weights and of every draw.
        vgg19: weights of VGG19 for Eq. 10; the discriminator's features are used when neither network is given.
        vggface: weights of VGGFace for Eq. 10.
        training: settings of the run; the default when None.
        progress: told after every update.

    Returns:
        What the training came to; only the first of several processes judges the pictures.

    Raises:
        CorpusError: there is nothing to learn from.
        Cancelled: by `progress`; what was learnt until then is written.
        ValueRangeError: an unknown preset, or neither or both of `minutes` and `steps`.
        WeightsError: the run to resume, or the weights to start from or of a feature network, are missing, damaged or
            of other networks.
    """
    _check(preset, minutes, steps)
    training = training or TextureTrainingConfig()
    with joined(device) as workers:
        progress = progress if workers.is_first else silent
        config, device = TEXTURE_PRESETS[preset], workers.device(device)
        trainer = TextureTrainer(config, training, device, seed, _features(vgg19, vggface, config, device), workers)
        sampler, held_out = _load(Corpus(corpus), training, seed, progress)
        seconds, updates = _begin(trainer, state_path(out) if resume else None, start, sampler, progress)
        rng = np.random.default_rng((seed, trainer.step, trainer.episodes, workers.rank))
        budget, between, losses = Budget(steps, minutes, seconds), Interval(training.checkpoint_seconds), {}
        try:
            while (share := workers.of_first(budget.share(updates), device)) < 1:
                _note(losses, _update(trainer, sampler, training, share, rng))
                updates += 1
                progress("texture", int(1000 * share), 1000)
                if updates % _REPORT_STEPS == 0:
                    _log(losses, updates, budget.seconds)
                if between.is_over:
                    _save(out, trainer, held_out, updates, budget.seconds)
                    between.restart()
        except Cancelled as request:
            if updates:  # pictures are not judged now: who asks for the end does not wait
                _save(out, trainer, None, updates, budget.seconds)
                raise Cancelled(f"cancelled; {out} has what was learnt, and --resume goes on") from request
            raise
        return _save(out, trainer, held_out, updates, budget.seconds)


def _features(vgg19: Path | None, vggface: Path | None, config: TextureConfig, device: str) -> list[FeatureNetwork]:
    """The feature networks whose files are given, with their weights in Eq. 10."""
    given = ((vgg19, VGG19, config.alpha_1), (vggface, VGGFACE, config.alpha_2))
    return [
        FeatureNetwork(layout.name, load_features(path, layout, device), alpha) for path, layout, alpha in given if path
    ]


def _load(
    corpus: Corpus, training: TextureTrainingConfig, seed: int, progress: Progress
) -> tuple[PairSampler, Pairs | None]:
    """Decodes what is learnt from, and what the weights are judged on."""
    limits = {"clips_per_speaker": training.clips_per_speaker, "every_nth": training.every_nth_frame}
    clips = load_faces(corpus, "train", **limits, rng=np.random.default_rng(seed), progress=progress)
    sampler = PairSampler(clips, training.far_pair_share)
    LOG.info("%d people, %d pictures", len(sampler.speakers), sum(len(clip.faces) for clip in clips))
    return sampler, _held_out_pairs(corpus, set(sampler.speakers))


def _begin(
    trainer: TextureTrainer, state: Path | None, start: Path | None, sampler: PairSampler, progress: Progress
) -> tuple[float, int]:
    """Resumes a run, or begins one, from earlier weights if given; returns its seconds and updates so far."""
    seconds = 0.0
    if state:
        seconds = trainer.resume(state)
    elif start:
        trainer.start_from(start)
    if trainer.wants_following and trainer.workers.is_first:
        trainer.fit_following(sampler, progress)
    trainer.agree()
    return seconds, trainer.step + trainer.episodes // _EPISODES_PER_UPDATE if state else 0


def _update(
    trainer: TextureTrainer,
    sampler: PairSampler,
    training: TextureTrainingConfig,
    share: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """One step on pairs, or, in the last share of the run, on episodes (Fig. 3); returns its losses."""
    references = int(rng.choice(training.references))
    if share < 1 - training.episode_share:
        rate = falling_cosine(share / (1 - training.episode_share))
        return trainer.pair_step(sampler.pairs(training.batch_size, rng, references), rate)
    if trainer.episodes == 0:
        trainer.adopt_averages()
    sizes = (training.support_images, training.query_images)
    episodes = [sampler.episode(*sizes, rng, references) for _ in range(_EPISODES_PER_UPDATE)]
    return {"query": trainer.episode_step(episodes)}


def _note(losses: dict[str, list[float]], parts: dict[str, float]) -> None:
    for name, value in parts.items():
        losses.setdefault(name, []).append(value)


def _log(losses: dict[str, list[float]], updates: int, seconds: float) -> None:
    """Logs the mean losses and forgets them."""
    means = " ".join(f"{name} {np.mean(values):.4f}" for name, values in losses.items())
    LOG.info("update %d, %.1f min: %s", updates, seconds / 60, means)
    losses.clear()


def _held_out_pairs(corpus: Corpus, seen: set[str]) -> Pairs | None:
    """Pairs of people who are not trained on, or of held-out clips where there are no such people; always the same."""
    if not corpus.speakers("val"):
        return None
    rng = np.random.default_rng(0)
    clips = load_faces(corpus, "val", clips_per_speaker=2, every_nth=5, rng=rng)
    strangers = [clip for clip in clips if clip.speaker not in seen]
    return PairSampler(strangers or clips, 0.5).pairs(_VALIDATION_PAIRS, rng)


def _save(out: Path, trainer: TextureTrainer, held_out: Pairs | None, updates: int, seconds: float) -> TextureResult:
    """Writes the run's state and the averaged weights, which it judges; only the first process does."""
    result = TextureResult(updates, seconds)
    if not trainer.workers.is_first:
        return result
    trainer.save(state_path(out), seconds)
    shipped = trainer.trained(_START_SHARE)
    notes = {"updates": str(updates), "episodes": str(trainer.episodes)}
    if held_out is not None:
        result = TextureResult(updates, seconds, *validation_psnr(shipped, held_out))
        notes["held_out_psnr"] = f"{result.psnr:.2f}"
    LOG.info(result.sentence())
    save_texture_generator(out, shipped, notes)
    return result
