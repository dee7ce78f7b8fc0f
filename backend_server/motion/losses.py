"""Defines what the l-GAN minimises (Eq. 1 to 5).

Every loss is a function of sequences of consecutive frames, (N, T, 68, 2), in the unit that `MotionConfig.loss_unit`
sets; squared norms are summed over points and axes and averaged over frames and batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_server.config import MotionConfig
from backend_server.metrics.landmarks import CLOSED_OPENING
from shared.errors import ShapeError

OPENING, WIDTH = (66, 62, 1), (54, 48, 0)  # points and axis: inner lips apart, corners apart


def _check_pair(generated: Tensor, target: Tensor) -> None:
    if generated.shape != target.shape:
        raise ShapeError(f"expected two tensors of one shape, got {tuple(generated.shape)} and {tuple(target.shape)}")


def _squared_norm(difference: Tensor) -> Tensor:
    return difference.square().sum(dim=(-2, -1)).mean()


def distance_loss(generated: Tensor, target: Tensor) -> Tensor:
    """Squared L2 distance between landmark sets (Eq. 1).

    Args:
        generated: landmarks, (..., 68, 2).
        target: ground truth of the same shape.

    Returns:
        Scalar, summed over points and axes, averaged over the rest.

    Raises:
        ShapeError: the two shapes differ.
    """
    _check_pair(generated, target)
    return _squared_norm(generated - target)


def regularisation_loss(generated: Tensor) -> Tensor:
    """Squared L2 distance between consecutive frames of landmarks (..., T, 68, 2) (Eq. 2)."""
    return _squared_norm(generated.diff(dim=-3))


def mouth_loss(generated: Tensor, target: Tensor) -> Tensor:
    """Squared errors of the mouth's opening and width, which viewers watch before anything else.

    The paper has no such term.

    Args:
        generated: landmarks, (..., 68, 2).
        target: ground truth of the same shape.
    """
    _check_pair(generated, target)
    spans = [_span(generated, *span) - _span(target, *span) for span in (OPENING, WIDTH)]
    return torch.stack(spans).square().sum(0).mean()


def closure_loss(generated: Tensor, target: Tensor, is_modelled: Tensor, closed_below: float) -> Tensor:
    """Squares of how far lips stay open where modelled ones are closed.

    Squared errors alone leave P, B and M half open, since their moment is never sure. Modelled lips close at every one
    of them and nowhere else in speech; recorded ones also look closed in mumbled vowels, and lips that close there
    match no recording. The paper has no such term.

    Args:
        generated: landmarks of consecutive frames, (N, T, 68, 2).
        target: ground truth of the same shape.
        is_modelled: which of the sequences are modelled, (N,).
        closed_below: opening under which lips are closed, in the unit of the landmarks; half of it costs nothing.
    """
    _check_pair(generated, target)
    is_closed = (_span(target, *OPENING) < closed_below) & is_modelled[:, None]
    return (is_closed * F.relu(_span(generated, *OPENING) - closed_below / 2).square()).mean()


def spread_loss(generated: Tensor, target: Tensor) -> Tensor:
    """Squared errors of how far the mouth's opening and width spread over a sequence.

    Squared errors of single frames alone are least for a mouth that moves too little wherever the sound leaves doubt.
    The paper has no such term.

    Args:
        generated: landmarks of consecutive frames, (..., T, 68, 2).
        target: ground truth of the same shape.
    """
    _check_pair(generated, target)
    spreads = [
        _span(generated, *span).std(-1, correction=0) - _span(target, *span).std(-1, correction=0)
        for span in (OPENING, WIDTH)
    ]
    return torch.stack(spreads).square().sum(0).mean()


def _span(landmarks: Tensor, one: int, other: int, axis: int) -> Tensor:
    return landmarks[..., one, axis] - landmarks[..., other, axis]


def smooth_sign(difference: Tensor, scale: float) -> Tensor:
    """tanh(difference / scale): the sign of a motion, with a gradient for motions of the order of `scale`."""
    return torch.tanh(difference / scale)


def direction_loss(generated: Tensor, target: Tensor, scale: float) -> Tensor:
    """Squared distance between the motion vectors of two sequences (Eq. 3).

    The paper's motion vector is a step function of the difference of consecutive frames and has no gradient; here it
    is the smooth step (1 + smooth_sign) / 2, which tends to the printed one as the scale tends to zero. The printed
    form is kept as the metric `metrics.landmarks.direction_agreement`.

    Args:
        generated: landmarks of consecutive frames, (..., T, 68, 2).
        target: ground truth of the same shape.
        scale: motion per frame at which the smooth sign reaches three quarters, in the unit of the landmarks.
    """
    _check_pair(generated, target)
    difference = smooth_sign(generated.diff(dim=-3), scale) - smooth_sign(target.diff(dim=-3), scale)
    return _squared_norm(difference / 2)


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The negative of Eq. 4, which the discriminator minimises.

    Args:
        real_logits: D before its sigmoid for ground truth, any shape.
        fake_logits: the same for generated landmarks.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """log(1 - D) of generated landmarks, the part of Eq. 4 that the generator minimises."""
    return -F.softplus(fake_logits).mean()


@dataclass(frozen=True)
class MotionLosses:
    """The four terms of Eq. 5 and the three of the mouth before their weights, scalars, and their weighted sum."""

    distance: Tensor
    regularisation: Tensor
    direction: Tensor
    adversarial: Tensor
    mouth: Tensor
    closure: Tensor
    spread: Tensor
    total: Tensor


def motion_losses(
    generated: Tensor, target: Tensor, fake_logits: Tensor, is_modelled: Tensor, config: MotionConfig
) -> MotionLosses:
    """The objective of the generator (Eq. 5).

    Args:
        generated: canonical landmarks of consecutive frames, (N, T, 68, 2), canonical units.
        target: ground truth of the same shape.
        fake_logits: the discriminator's answer to `generated`.
        is_modelled: which of the sequences are modelled, (N,).
        config: weights, loss unit and direction scale.
    """
    generated, target = generated / config.loss_unit, target / config.loss_unit
    distance = distance_loss(generated, target)
    regularisation = regularisation_loss(generated)
    direction = direction_loss(generated, target, config.direction_scale)
    adversarial = adversarial_loss(fake_logits)
    mouth = mouth_loss(generated, target)
    closure = closure_loss(generated, target, is_modelled, CLOSED_OPENING / config.loss_unit)
    spread = spread_loss(generated, target)
    total = (
        config.lambda_dist * distance
        + config.lambda_reg * regularisation
        + config.lambda_dir * direction
        + config.lambda_gan * adversarial
        + config.lambda_mouth * mouth
        + config.lambda_closure * closure
        + config.lambda_spread * spread
    )
    return MotionLosses(distance, regularisation, direction, adversarial, mouth, closure, spread, total)
