"""Learns one person's face from K = 1 to 20 images (Section 3.4, last paragraph).

Starting from the meta-learned weights it minimises Eq. 11 with each image in turn as the target and others as its
references, changed at random together with their landmarks. With more than four images some are held out, and the
best epoch on them is kept.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.identity import FaceReferences, Identity, IdentityRecord, rows
from backend_server.progress import Epoch, EpochWatcher, Progress, silent
from backend_server.texture.learning.augmentation import (
    AugmentationStrength,
    Change,
    move_pictures,
    move_points,
    random_change,
)
from backend_server.texture.learning.objective import Batch, generator_objective
from backend_server.texture.learning.rehearsal import rehearsal_pictures, unseen_expressions
from backend_server.texture.render import render
from backend_server.texture.synthesis import References, TextureGenerator, references_of
from shared.errors import ValueRangeError

_REFERENCES_PER_TARGET = 8
_BATCH = 2  # a step stays short enough to be cancelled within half a second
_FEWEST_TARGETS = 4  # an epoch has at least this many, even with fewer images
_IMAGES_FOR_FULL_RATE = 8  # fewer images show little that is new and would teach to trust only the warp
_IMAGES_TO_HOLD_OUT = 5  # from this many on, a fifth of them is kept for judging
_PATIENCE = 3  # epochs without progress on the held-out images
# Colours stay as they are: they are to be learned.
_STRENGTH = AugmentationStrength(degrees=4, scale=0.05, shift=4, bend=3, mirror=0, colour=0)
_REHEARSAL_SHARE = 0.25  # of the targets, when some expressions are missing from the images


def adapt(
    generator: TextureGenerator,
    references: FaceReferences,
    *,
    epochs: int,
    seed: int,
    weights_version: str,
    progress: Progress = silent,
    on_epoch: EpochWatcher = lambda _: None,
) -> Identity:
    """Learns a face from K images.

    Args:
        generator: with the meta-learned weights; it stays as it is.
        references: K crops; all are kept to move the face from. The paper takes its code from N = 5 (Section 4.3).
        epochs: passes over the images; 0 leaves the weights as they are.
        seed: of the order and the augmentation; the same seed gives the same weights.
        weights_version: kept in the identity, so that other weights are noticed.
        progress: told after every step; may raise `Cancelled`.
        on_epoch: told after every epoch.

    Raises:
        ValueRangeError: fewer than 0 epochs, or no image.
    """
    count = len(references.crops)
    if epochs < 0 or count == 0:
        raise ValueRangeError(f"fine-tuning needs 0 or more epochs and 1 or more images, got {epochs} and {count}")
    tuning = _FineTuning(generator, references, seed)
    if epochs:
        tuning.run(epochs, progress, on_epoch)
    record = IdentityRecord(
        learnt_at=datetime.now(UTC).replace(microsecond=0),
        weights_version=weights_version,
        image_count=count,
        seed=seed,
        epochs=len(tuning.losses),
        losses=tuple(tuning.losses),
        held_out_psnrs=tuple(tuning.psnrs),
        held_out_psnr=tuning.best_psnr,
        neutral=rows(references.neutral_landmarks),
        crop=rows(references.crop),
        notes=references.notes,
    )
    return Identity(references, tuning.tuned_weights() if epochs else {}, record)


class _FineTuning:
    """One run of fine-tuning."""

    def __init__(self, generator: TextureGenerator, references: FaceReferences, seed: int) -> None:
        self.initial, self.references = generator, references
        self.device = next(generator.parameters()).device
        self.rng = np.random.default_rng(seed)
        self.random = torch.Generator().manual_seed(seed)
        self.losses: list[float] = []
        self.psnrs: list[float] = []
        self.best_psnr: float | None = None
        self.faces = references_of(references, self.device, is_cut_out=False)
        others = self.rng.permutation(np.arange(1, len(references.crops)))
        held_out = len(references.crops) // 5 if len(references.crops) >= _IMAGES_TO_HOLD_OUT else 0
        self.held_out = others[:held_out].tolist()
        self.learned = sorted([0, *others[held_out:].tolist()])

    def run(self, epochs: int, progress: Progress, on_epoch: EpochWatcher) -> None:
        """Tunes a copy of the network and keeps its best state."""
        progress("adapt", 0, 1)
        self.tuned = copy.deepcopy(self.initial).requires_grad_(True).eval()
        if len(self.learned) == 1:
            # One image tells who it is, not how that face moves: only the code and what it steers may change.
            for name, parameter in self.tuned.named_parameters():
                parameter.requires_grad_(name.startswith("encoder.") or "norm.affine" in name)
        rate = self.tuned.config.fine_tuning_learning_rate * min(1.0, len(self.learned) / _IMAGES_FOR_FULL_RATE)
        optimiser = torch.optim.Adam([p for p in self.tuned.parameters() if p.requires_grad], rate)
        known = self.faces.only(self.learned)
        self.expressions = unseen_expressions(known.landmarks[0])
        self.rehearsed = rehearsal_pictures(self.initial, known, self.expressions)
        best = {name: weight.clone() for name, weight in self.tuned.state_dict().items()}
        self.best_psnr = self._held_out_psnr()
        waited = 0
        for epoch in range(epochs):
            targets = self._targets()
            steps = range(0, len(targets), _BATCH)
            losses = []
            for number, start in enumerate(steps):
                losses.append(self._step(optimiser, targets[start : start + _BATCH]))
                progress("adapt", epoch * len(steps) + number + 1, epochs * len(steps))
            self.losses.append(float(np.mean(losses)))
            psnr = self._held_out_psnr()
            self.psnrs += [] if psnr is None else [psnr]
            on_epoch(Epoch(epoch + 1, self.losses[-1], psnr, self.references.neutral_landmarks, self._rendered))
            if psnr is None or self.best_psnr is None or psnr > self.best_psnr:
                best, waited = {name: weight.clone() for name, weight in self.tuned.state_dict().items()}, 0
                self.best_psnr = psnr
            else:
                waited += 1
                if waited >= _PATIENCE:
                    break
        self.tuned.load_state_dict(best)

    def _rendered(self, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        return np.concatenate(list(render(self.tuned, self.references, landmarks)))

    def _targets(self) -> list[int]:
        """One epoch's targets in random order: an image's number, or -1 - e for rehearsed expression e."""
        repeats = max(1, round(_FEWEST_TARGETS / len(self.learned)))
        targets = [int(i) for _ in range(repeats) for i in self.rng.permutation(self.learned)]
        if self.expressions:
            rehearsals = max(1, round(_REHEARSAL_SHARE * len(targets)))
            targets += (-1 - self.rng.integers(len(self.expressions), size=rehearsals)).tolist()
        return self.rng.permutation(targets).tolist()

    def _step(self, optimiser: torch.optim.Optimizer, targets: list[int]) -> float:
        # A discriminator that no longer learns is soon fooled, so only its features are used, not its score.
        judge = self.initial.judges[0] if self.initial.judges else None
        objective = generator_objective(self.tuned, self._batch(targets), discriminator=judge, is_adversarial=False)
        optimiser.zero_grad(set_to_none=True)
        objective.total.backward()
        torch.nn.utils.clip_grad_norm_(self.tuned.parameters(), 1.0)
        optimiser.step()
        return float(objective.total.detach())

    def _batch(self, targets: list[int]) -> Batch:
        count = len(targets)
        chosen = [self._references_for(target) for target in targets]
        used, each = [i for references in chosen for i in references], len(chosen[0])
        change = random_change(count, _STRENGTH, self.random)
        # An image made from itself shows no motion, so there the reference gets another bend than the target.
        is_itself = torch.tensor([target == own[0] for target, own in zip(targets, chosen, strict=True)])
        other = random_change(count, _STRENGTH, self.random)
        of_references = change.mixed(other, is_itself, ("bend",)).repeated(each).to(self.device)
        change = change.to(self.device)
        images, points = self.faces.images[0], self.faces.landmarks[0]
        pictures = move_pictures(images[used], of_references).unflatten(0, (count, each))
        landmarks = move_points(points[used], of_references).unflatten(0, (count, each))
        wanted = torch.stack([self.rehearsed[-1 - t] if t < 0 else images[t] for t in targets])
        wanted_points = torch.stack([self.expressions[-1 - t] if t < 0 else points[t] for t in targets])
        return Batch(
            References(pictures, landmarks),
            move_points(wanted_points, change),
            move_pictures(wanted, change),
            person=0.05 + 0.95 * self._moved_mattes(targets, change),  # another photo has another background
        )

    def _references_for(self, target: int) -> list[int]:
        """Images to make a target from, the base first; never the target itself, if there are others."""
        others = [i for i in self.learned if i != target] or self.learned
        base = 0 if target != 0 else int(self.rng.choice(others))
        others = [i for i in others if i != base]
        more = min(max(len(self.learned) - 1, 1), _REFERENCES_PER_TARGET) - 1
        return [base, *self.rng.choice(others, more, replace=False).tolist()] if more else [base]

    def _moved_mattes(self, targets: list[int], change: Change) -> Tensor:
        mattes = self.faces.mattes
        assert mattes is not None
        own = mattes[0, [max(target, 0) for target in targets]]
        return move_pictures(own.expand(-1, 3, -1, -1) * 2 - 1, change)[:, :1].add(1).div(2)

    @torch.no_grad()
    def _held_out_psnr(self) -> float | None:
        if not self.held_out:
            return None
        known = self.faces.only(self.learned)
        scores = []
        for i in self.held_out:
            picture = self.tuned(self.faces.landmarks[:, i], known).picture.clamp(-1, 1)
            error = self.tuned.in_window((picture - self.faces.images[:, i]) / 2).square().mean()
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
