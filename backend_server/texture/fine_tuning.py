"""How does the network learn one person's face from K = 1 to 20 images (Section 3.4, last paragraph)?

Starting from the meta-learned weights it minimises Eq. 11 on pairs (base image, other image), changed at random
together with their landmarks. With more than four images some are held out, and the best epoch on them is kept.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.progress import Progress, silent
from backend_server.texture.augmentation import AugmentationStrength, Change, move_pictures, move_points, random_change
from backend_server.texture.identity import FaceImages, Identity
from backend_server.texture.objective import Batch, generator_objective, to_pictures
from backend_server.texture.rehearsal import rehearsal_pictures, unseen_expressions
from backend_server.texture.synthesis import References, TextureGenerator
from shared.errors import ValueRangeError

MAX_REFERENCES = 5  # N, images that the code is taken from at test (Section 4.3)
_BATCH = 2  # a step stays short enough to be cancelled within half a second
_FEWEST_TARGETS = 4  # an epoch sees at least so many, however few images there are
_IMAGES_FOR_FULL_RATE = 8  # fewer images show little that is new and would teach to trust the warp alone
_IMAGES_TO_HOLD_OUT = 5  # from so many on, a fifth of them is kept for judging
_PATIENCE = 3  # epochs without progress on the held-out images
# Colours stay as they are: they are what shall be learned.
_STRENGTH = AugmentationStrength(degrees=4, scale=0.05, shift=4, bend=3, mirror=0, colour=0)
_REHEARSAL_SHARE = 0.25  # of the targets, when some expressions are missing from the images


@dataclass(frozen=True)
class _Faces:
    """All images of one person as tensors; the first is the base."""

    images: Tensor
    landmarks: Tensor
    mattes: Tensor


def adapt(
    generator: TextureGenerator,
    references: FaceImages,
    *,
    epochs: int,
    seed: int,
    weights_version: str,
    progress: Progress = silent,
) -> Identity:
    """Learns a face from K images.

    Args:
        generator: with the meta-learned weights; it stays as it is.
        references: K crops with landmarks and mattes, the first the one to be animated.
        epochs: passes over the images; 0 leaves the weights as they are.
        seed: of the order and the augmentation; the same seed gives the same weights.
        weights_version: kept in the identity, so that other weights are noticed.
        progress: told after every step; may raise `Cancelled`.

    Raises:
        ValueRangeError: fewer than 0 epochs, or no image.
    """
    count = len(references.crops)
    if epochs < 0 or count == 0:
        raise ValueRangeError(f"fine-tuning needs 0 or more epochs and 1 or more images, got {epochs} and {count}")
    tuning = _FineTuning(generator, references, seed)
    if epochs:
        tuning.run(epochs, progress)
    return Identity(
        neutral_landmarks=references.neutral_landmarks.astype(np.float32),
        crop=references.crop.astype(np.float32),
        reference_images=references.crops[:MAX_REFERENCES],
        reference_landmarks=references.landmarks[:MAX_REFERENCES].astype(np.float32),
        mattes=references.mattes[:MAX_REFERENCES],
        weights=tuning.tuned_weights() if epochs else {},
        losses=tuple(tuning.losses),
        held_out_psnr=tuning.best_psnr,
        weights_version=weights_version,
        epochs=len(tuning.losses),
    )


class _FineTuning:
    """One run of fine-tuning."""

    def __init__(self, generator: TextureGenerator, references: FaceImages, seed: int) -> None:
        self.initial = generator
        self.device = next(generator.parameters()).device
        self.rng = np.random.default_rng(seed)
        self.random = torch.Generator().manual_seed(seed)
        self.losses: list[float] = []
        self.best_psnr: float | None = None
        self.faces = self._faces(references)
        others = self.rng.permutation(np.arange(1, len(references.crops)))
        held_out = len(references.crops) // 5 if len(references.crops) >= _IMAGES_TO_HOLD_OUT else 0
        self.held_out = others[:held_out].tolist()
        self.learned = sorted([0, *others[held_out:].tolist()])

    def _faces(self, references: FaceImages) -> _Faces:
        images = to_pictures(torch.from_numpy(references.crops).to(self.device))
        landmarks = torch.from_numpy(references.landmarks).to(self.device).float()
        mattes = torch.from_numpy(references.mattes).to(self.device)[:, None].float() / 255
        return _Faces(match_colours(images, mattes), landmarks, mattes)

    def run(self, epochs: int, progress: Progress) -> None:
        """Tunes a copy of the network and keeps its best state."""
        progress("adapt", 0, 1)
        self.tuned = copy.deepcopy(self.initial).requires_grad_(True).eval()
        if len(self.learned) == 1:
            # One image tells who it is, not how that face moves: only the code and what it steers may change.
            for name, parameter in self.tuned.named_parameters():
                parameter.requires_grad_(name.startswith("encoder.") or "norm.affine" in name)
        rate = self.tuned.config.fine_tuning_learning_rate * min(1.0, len(self.learned) / _IMAGES_FOR_FULL_RATE)
        optimizer = torch.optim.Adam([p for p in self.tuned.parameters() if p.requires_grad], rate)
        base = References(self.faces.images[None, :1], self.faces.landmarks[None, :1])
        self.expressions = unseen_expressions(self.faces.landmarks[self.learned])
        self.rehearsed = rehearsal_pictures(self.initial, base, self.expressions)
        best = {name: weight.clone() for name, weight in self.tuned.state_dict().items()}
        self.best_psnr = self._held_out_psnr()
        waited = 0
        for epoch in range(epochs):
            targets = self._targets()
            steps = range(0, len(targets), _BATCH)
            losses = []
            for number, start in enumerate(steps):
                losses.append(self._step(optimizer, targets[start : start + _BATCH]))
                progress("adapt", epoch * len(steps) + number + 1, epochs * len(steps))
            self.losses.append(float(np.mean(losses)))
            psnr = self._held_out_psnr()
            if psnr is None or self.best_psnr is None or psnr > self.best_psnr:
                best, waited = {name: weight.clone() for name, weight in self.tuned.state_dict().items()}, 0
                self.best_psnr = psnr
            else:
                waited += 1
                if waited >= _PATIENCE:
                    break
        self.tuned.load_state_dict(best)

    def _targets(self) -> list[int]:
        """One epoch's targets in random order: an image's number, or -1 - e for rehearsed expression e."""
        repeats = max(1, round(_FEWEST_TARGETS / len(self.learned)))
        targets = [int(i) for _ in range(repeats) for i in self.rng.permutation(self.learned)]
        if self.expressions:
            rehearsals = max(1, round(_REHEARSAL_SHARE * len(targets)))
            targets += (-1 - self.rng.integers(len(self.expressions), size=rehearsals)).tolist()
        return self.rng.permutation(targets).tolist()

    def _step(self, optimizer: torch.optim.Optimizer, targets: list[int]) -> float:
        # A discriminator that no longer learns is soon fooled, so its features judge and its score does not.
        judge = self.initial.judges[0] if self.initial.judges else None
        objective = generator_objective(self.tuned, self._batch(targets), discriminator=judge, is_adversarial=False)
        optimizer.zero_grad(set_to_none=True)
        objective.total.backward()
        torch.nn.utils.clip_grad_norm_(self.tuned.parameters(), 1.0)
        optimizer.step()
        return float(objective.total.detach())

    def _batch(self, targets: list[int]) -> Batch:
        faces, n = self.faces, len(targets)
        change = random_change(n, _STRENGTH, self.random)
        images = torch.stack([self.rehearsed[-1 - t] if t < 0 else faces.images[t] for t in targets])
        landmarks = torch.stack([self.expressions[-1 - t] if t < 0 else faces.landmarks[t] for t in targets])
        mattes = torch.stack([faces.mattes[max(t, 0)] for t in targets])
        # The base against itself would be no motion at all: there the reference gets another bend than the target.
        other = random_change(n, _STRENGTH, self.random)
        is_base = torch.tensor([t == 0 for t in targets])[:, None, None, None]
        reference_change = _with_bend(change, torch.where(is_base, other.bend, change.bend))
        base, base_landmarks = faces.images[:1].expand(n, -1, -1, -1), faces.landmarks[:1].expand(n, -1, -1)
        mattes = move_pictures(mattes.expand(-1, 3, -1, -1) * 2 - 1, change)[:, :1].add(1).div(2)
        return Batch(
            References(
                move_pictures(base, reference_change)[:, None], move_points(base_landmarks, reference_change)[:, None]
            ),
            move_points(landmarks, change),
            move_pictures(images, change),
            person=0.05 + 0.95 * mattes,  # another photo's background is another background
        )

    @torch.no_grad()
    def _held_out_psnr(self) -> float | None:
        if not self.held_out:
            return None
        base = References(self.faces.images[None, :1], self.faces.landmarks[None, :1])
        scores = []
        for i in self.held_out:
            picture = self.tuned(self.faces.landmarks[i : i + 1], base).picture.clamp(-1, 1)
            error = self.tuned.in_window((picture - self.faces.images[i : i + 1]) / 2).square().mean()
            scores.append(-10 * float(error.clamp_min(1e-10).log10()))
        return float(np.mean(scores))

    def tuned_weights(self) -> dict[str, NDArray[np.float16]]:
        """What differs from the initial weights, as half floats."""
        initial = self.initial.state_dict()
        return {
            name: weight.half().cpu().numpy()
            for name, weight in self.tuned.state_dict().items()
            if not torch.equal(weight, initial[name])
        }


def _with_bend(change: Change, bend: Tensor) -> Change:
    return Change(
        change.matrix, change.offset, bend, change.is_mirrored, change.gains, change.gammas, change.saturation
    )


def match_colours(images: Tensor, mattes: Tensor) -> Tensor:
    """Gives every person (K, 3, H, W) the mean and the contrast of the first, channel by channel.

    Photos of other light would otherwise teach the network to change the light from frame to frame.
    """
    share = mattes / mattes.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (images * share).sum((2, 3), keepdim=True)
    deviation = ((images - mean).square() * share).sum((2, 3), keepdim=True).sqrt().clamp_min(1e-3)
    gain = (deviation[:1] / deviation).clamp(0.5, 2)
    matched = ((images - mean) * gain + mean[:1]).clamp(-1, 1)
    return torch.cat([images[:1], matched[1:]])
