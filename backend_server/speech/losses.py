"""Defines what the acoustic model minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def ctc_loss(
    scores: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, prior: Tensor, weight: float
) -> Tensor:
    """CTC with a label prior, per label (Graves et al. 2006; Huang et al. 2024, "Less Peaky").

    A path is scored by log softmax(scores) - weight * log(prior), which takes the blank's advantage away: labels last
    as long as they are heard instead of one peak, so that windows of a few samples see them.

    Args:
        scores: (N, U, C); the last class is the blank.
        lengths: (N,), how many of the U scores belong to each utterance.
        targets: (sum of target_lengths,), class numbers.
        target_lengths: (N,); utterances whose length is 0 do not count.
        prior: (C,), the mean probability of each class so far; sums to 1.
        weight: 0 gives plain CTC.
    """
    counts = target_lengths > 0
    if not counts.any():
        return scores.sum() * 0.0
    scores, lengths, target_lengths = scores[counts], lengths[counts], target_lengths[counts]
    blank = scores.shape[2] - 1
    adjusted = scores.log_softmax(2) - weight * (prior / prior[blank]).log()
    value = F.ctc_loss(
        adjusted.transpose(0, 1), targets, lengths, target_lengths, blank=blank, reduction="sum", zero_infinity=True
    )
    # torch assumes normalised input and adds exp(adjusted) to the gradient; this term of value 0 removes it
    heard = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
    excess = adjusted.exp().sum(2)[heard].sum()
    return (value - (excess - excess.detach())) / target_lengths.sum()


def mouth_loss(spans: Tensor, mouths: Tensor) -> Tensor:
    """Mean squared error of what the mouth does.

    Args:
        spans: (N, U, 6).
        mouths: (N, U, 6); NaN where unknown.
    """
    is_known = mouths.isfinite()
    if not is_known.any():
        return spans.sum() * 0.0
    return F.mse_loss(spans[is_known], mouths[is_known])


def phone_loss(scores: Tensor, phones: Tensor) -> Tensor:
    """Cross-entropy of phones whose times are known, per score.

    Args:
        scores: (N, U, C).
        phones: (N, U), class numbers, or -1 where unknown.
    """
    if not (phones >= 0).any():
        return scores.sum() * 0.0
    return F.cross_entropy(scores.flatten(0, 1), phones.flatten(), ignore_index=-1)
