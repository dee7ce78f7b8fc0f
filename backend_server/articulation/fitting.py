"""Finds the targets and dominances that explain how people's mouths moved.

With the dominances fixed the targets enter linearly, so they are solved for at once (ridge regression); the dominances
follow the gradient of what that solution leaves unexplained (variable projection, Golub & Pereyra 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.articulation.dominance import GROUPS, Dominance, initial_dominance, shares
from backend_server.articulation.motion import sounds_of
from backend_server.articulation.phones import TimedPhone
from backend_server.articulation.visemes import (
    VISEMES,
    VisemeTable,
    complete_targets,
    manner_indices,
)
from backend_server.progress import Progress, silent
from shared.landmarks import MIRROR, POINT_COUNT

RIDGE = 30.0  # frames of rest that each target is held to
STEPS = 15
STEP_SIZE = 0.08
CLIPS_FOR_DOMINANCE = 120  # the few constants need no more; the targets are solved on all clips
CALMNESS = 3e-3  # cost of leaving the initial constants
GROUP_WEIGHTS = (1.0, 1.0, 0.1)  # of the squared errors; the jaw line is tracked less exactly than the lips
_PADDING_TIME = -1000.0  # seconds; of sounds that only fill up a batch


@dataclass(frozen=True)
class SpokenMotion:
    """A clip: what was said, and displacements of the canonical face (T, 68, 2) at times (T,) in seconds."""

    phones: tuple[TimedPhone, ...]
    frame_times: NDArray[np.float64]
    displacements: NDArray[np.float32]


@dataclass(frozen=True)
class _Batch:
    visemes: Tensor  # (B, N)
    begins: Tensor  # (B, N)
    ends: Tensor  # (B, N)
    times: Tensor  # (B, T)
    motion: Tensor  # (B, T, 136)

    def shares_of_visemes(self, dominance: Dominance) -> Tensor:
        """(G, B * T, V): the shares of all sounds of one viseme together."""
        each = shares(dominance, manner_indices()[self.visemes], self.begins, self.ends, self.times)
        one_hot = torch.nn.functional.one_hot(self.visemes, len(VISEMES)).float()  # (B, N, V)
        return (each @ one_hot).flatten(1, 2)


def _batch(clips: Sequence[SpokenMotion]) -> _Batch:
    """Clips side by side, cut to the shortest, their motion made symmetric."""
    sounds = [sounds_of(clip.phones) for clip in clips]
    frames, most = min(len(clip.frame_times) for clip in clips), max(len(one) for one in sounds)
    filled = np.array([one + [(0, _PADDING_TIME, _PADDING_TIME)] * (most - len(one)) for one in sounds])  # (B, N, 3)
    motion = np.stack([clip.displacements[:frames] for clip in clips])
    motion = (motion + motion[:, :, MIRROR] * (-1.0, 1.0)) / 2
    return _Batch(
        visemes=torch.from_numpy(filled[..., 0]).long(),
        begins=torch.from_numpy(filled[..., 1]).float(),
        ends=torch.from_numpy(filled[..., 2]).float(),
        times=torch.from_numpy(np.stack([clip.frame_times[:frames] for clip in clips])).float(),
        motion=torch.from_numpy(motion).float().flatten(2),
    )


def _solve(batch: _Batch, dominance: Dominance) -> tuple[Tensor, Tensor]:
    """The best targets (V, 136) under given dominances, and the weighted mean square of what they leave."""
    targets = torch.zeros(len(VISEMES), 2 * POINT_COUNT)
    left = torch.zeros(())
    motion = batch.motion.flatten(0, 1)  # (B * T, 136)
    of_visemes = batch.shares_of_visemes(dominance)
    for weights, coordinates, weight in zip(of_visemes, GROUPS.values(), GROUP_WEIGHTS, strict=True):
        columns = list(coordinates)
        wanted = motion[:, columns]
        system = weights.T @ weights + RIDGE * torch.eye(len(VISEMES))
        solved = torch.linalg.solve(system, weights.T @ wanted)
        left = left + weight * (weights @ solved - wanted).square().sum(1).mean()
        targets[:, columns] = solved.detach()
    return targets, left


def fit_visemes(
    clips: Sequence[SpokenMotion], neutral: NDArray[np.float32], progress: Progress = silent
) -> VisemeTable:
    """The table that explains the motion of clips best.

    Args:
        clips: of about one length (`data.corpus.long_enough`); each is cut to the shortest.
        neutral: canonical face at rest, (68, 2).
        progress: told of every step.
    """
    initial = initial_dominance()
    constants = {name: tensor.clone().requires_grad_() for name, tensor in initial.tensors().items()}
    optimiser = torch.optim.Adam(constants.values(), lr=STEP_SIZE)
    some = _batch(clips[:: max(len(clips) // CLIPS_FOR_DOMINANCE, 1)])
    first = 0.0
    for step in range(STEPS):
        _, left = _solve(some, Dominance(**constants))
        first = first or float(left.detach())
        distance = torch.stack([(constants[name] - start).square().sum() for name, start in initial.tensors().items()])
        optimiser.zero_grad()
        (left / first + CALMNESS * distance.sum()).backward()
        optimiser.step()
        with torch.no_grad():
            constants["power"].clamp_(1.0, 2.0)
        progress("visemes", step + 1, STEPS)
    dominance = Dominance(**{name: tensor.detach() for name, tensor in constants.items()})
    with torch.no_grad():
        targets, _ = _solve(_batch(clips), dominance)
    measured = targets.reshape(-1, POINT_COUNT, 2).numpy()
    return VisemeTable(neutral, complete_targets(measured, neutral), dominance.with_firm_contacts())
