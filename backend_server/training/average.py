"""Averages weights: over the steps of a training, and between two networks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn


def running_average(network: nn.Module, decay: float, *, is_quick_at_first: bool = False) -> AveragedModel:
    """An exponential running average of a network's weights, moved on by `update_parameters`.

    The first update copies the weights. Buffers, as those of batch normalisation, are averaged too; whole numbers are
    copied.

    Args:
        network: as it is before training.
        decay: share that stays of the average at each update.
        is_quick_at_first: whether the average follows faster at first, so that random first weights fade: after n
            updates a share of (1 + n) / (10 + n) stays where that is less than `decay`.
    """

    def update(averages: PARAM_LIST, weights: PARAM_LIST, count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            stays = min(decay, (1 + int(count)) / (10 + int(count))) if is_quick_at_first else decay
            get_ema_multi_avg_fn(stays)(averages, weights, count)
            return
        for average, weight in zip(averages, weights, strict=True):
            average.copy_(weight)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


@torch.no_grad()
def mix_in(network: nn.Module, others: Mapping[str, Tensor], share: float) -> None:
    """Makes a network's weights the mean of its own and others.

    Weights between two that were trained one from the other keep what both have learnt (robust fine-tuning, Wortsman
    et al. 2022). Buffers stay.

    Args:
        network: is changed.
        others: weights by the names of the network's parameters.
        share: of the others in the mean.
    """
    for name, weight in network.named_parameters():
        weight.lerp_(others[name].to(weight), share)
