"""Fits the factors of `warping/following.py`.

They make a reference that is warped, and not painted, most like the other frames of its clip.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from backend_server.progress import Progress
from backend_server.texture.learning.objective import Batch
from backend_server.texture.warping.following import Following
from backend_server.texture.warping.spline import at_full_size, sample, spline_flow

_COARSE = 2  # pictures are compared at half their size, and the spline is read half as densely
_GRID = 32
_RATES = {"turning": 6e-3, "speaking": 6e-3, "log_stiffness": 0.04}
_RIDGE = 1e-5


def fit_following(
    following: Following, next_batch: Callable[[], Batch], steps: int, progress: Progress
) -> tuple[float, float]:
    """Changes the factors and returns how far warped references are from the targets, before and after.

    Args:
        following: is changed.
        next_batch: gives pairs; the first reference of each is warped.
        steps: of Adam, with a learning rate that falls to zero.
        progress: receives ("following", done, of all).

    Returns:
        Means of the absolute differences over the first and the last twentieth of the steps; pictures are in [-1, 1].
    """
    factors = {name: getattr(following, name).clone().requires_grad_() for name in _RATES}
    optimiser = torch.optim.Adam([{"params": [factors[name]], "lr": rate} for name, rate in _RATES.items()])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    differences = []
    for step in range(steps):
        progress("following", step, steps)
        difference = _difference(following, factors, next_batch())
        size = factors["turning"].square().sum() + factors["speaking"].square().sum()
        optimiser.zero_grad(set_to_none=True)
        (difference + _RIDGE * size).backward()
        optimiser.step()
        schedule.step()
        differences.append(float(difference.detach()))
    progress("following", steps, steps)
    for name, factor in factors.items():
        getattr(following, name).copy_(factor.detach())
    some = max(1, steps // 20)
    return sum(differences[:some]) / some, sum(differences[-some:]) / some


def _difference(following: Following, factors: dict[str, Tensor], batch: Batch) -> Tensor:
    references = batch.references
    control = functional_call(following, factors, (references.landmarks[:, 0], batch.landmarks))
    source = at_full_size(spline_flow(control, _GRID).source)
    images, targets, source = (
        F.avg_pool2d(x, _COARSE) for x in (references.images[:, 0], batch.targets, (source + 0.5) / _COARSE - 0.5)
    )
    return (sample(images, source) - targets).abs().mean()
