"""Finds initial weights from which a few images of a new person are enough (MAML, Fig. 3).

Fast weights take m steps of constant size on an episode's support; after each step they are judged on its query. The
sum of the m query losses moves the global weights. First order by default: the second derivatives cost as much memory
as m copies of the network and change little (Finn et al. 2017, Section 5.2); `train texture --second-order` uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

Data = TypeVar("Data")
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class OuterGradient:
    """The gradient of one episode for the global weights.

    Attributes:
        loss: L = L^1 + ... + L^m, summed query loss.
        gradients: of that sum with respect to the global weights, by name.
    """

    loss: Tensor
    gradients: dict[str, Tensor]


def _step(loss: Tensor, weights: Weights, step_size: float, *, create_graph: bool) -> dict[str, Tensor]:
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph, allow_unused=True)
    return {
        name: weight if gradient is None else weight - step_size * gradient
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


def _gradients(loss: Tensor, weights: Weights) -> dict[str, Tensor]:
    gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    return {
        name: torch.zeros_like(weight) if gradient is None else gradient
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


def outer_gradient(
    loss: Callable[[Weights, Data], Tensor],
    global_weights: Weights,
    support: Data,
    query: Data,
    *,
    steps: int,
    step_size: float,
    is_second_order: bool = False,
) -> OuterGradient:
    """Runs one episode and returns the gradient for the global weights, which stay as they are.

    Args:
        loss: of given weights on given data, a scalar.
        global_weights: by name.
        support: the samples of the m steps, d_trn.
        query: the samples that judge each step, d_qry.
        steps: m.
        step_size: constant step of the fast weights.
        is_second_order: whether the gradient passes through the inner steps.
    """
    start = {name: weight.detach().requires_grad_() for name, weight in global_weights.items()}
    fast: dict[str, Tensor] = dict(start)
    total = torch.zeros(())
    summed = {name: torch.zeros_like(weight) for name, weight in start.items()}
    for _ in range(steps):
        fast = _step(loss(fast, support), fast, step_size, create_graph=is_second_order)
        if not is_second_order:
            fast = {name: weight.detach().requires_grad_() for name, weight in fast.items()}
        judged = loss(fast, query)
        if is_second_order:
            total = total.to(judged) + judged
            continue
        # To first order the fast weights move one to one with the global ones.
        for name, gradient in _gradients(judged, fast).items():
            summed[name] += gradient
        total = total.to(judged) + judged.detach()
    return OuterGradient(total.detach(), _gradients(total, start) if is_second_order else summed)
