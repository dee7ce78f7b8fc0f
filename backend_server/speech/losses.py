"""What does the acoustic model minimise?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from backend_server.speech.decoding import BLANK


def ctc_loss(
    scores: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, prior: Tensor, weight: float
) -> Tensor:
    """CTC with a label prior, a character (Graves et al. 2006; Huang et al. 2024, "Less Peaky").

    A path is scored by log softmax(scores) - weight * log(prior), which takes the blank's advantage away: characters
    last as long as they are heard instead of one peak, so that windows of six samples see them.

    Args:
        scores: (N, U, 29).
        lengths: (N,), how many of the U scores belong to each utterance.
        targets: (sum of target_lengths,), class numbers.
        target_lengths: (N,).
        prior: (29,), the mean probability of each class so far; sums to 1.
        weight: 0 gives plain CTC.
    """
    adjusted = scores.log_softmax(2) - weight * (prior / prior[BLANK]).log()
    value = F.ctc_loss(
        adjusted.transpose(0, 1), targets, lengths, target_lengths, blank=BLANK, reduction="sum", zero_infinity=True
    )
    # torch takes its input for normalised and adds exp(adjusted) to the gradient; this term of value 0 removes it
    heard = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
    excess = adjusted.exp().sum(2)[heard].sum()
    return (value - (excess - excess.detach())) / target_lengths.sum()
