"""Measures how good a picture of t-GAN is (Eq. 8 to 11).

Sums over pixels become means, so that the weights do not depend on the size of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import LEFT_EYE, OUTER_LIPS, RIGHT_EYE

_MARGIN = 0.25  # of a region's box, added on each side
_SOFTNESS = 4.0  # pixels over which a region's weight fades


def reconstruction_loss(generated: Tensor, target: Tensor, weights: Tensor | None = None, *, norm: int = 2) -> Tensor:
    """Mean difference between pictures (Eq. 8).

    Args:
        generated: (N, 3, H, W) in [-1, 1].
        target: the same shape.
        weights: of the pixels, (N, 1, H, W); only their proportions matter.
        norm: 2 for squares, as printed; 1 for absolute values, which blur less.

    Raises:
        ShapeError: the shapes differ.
        ValueRangeError: another norm.
    """
    if generated.shape != target.shape:
        raise ShapeError(f"cannot compare pictures {tuple(generated.shape)} with {tuple(target.shape)}")
    if norm not in (1, 2):
        raise ValueRangeError(f"the norm of the pixel loss is 1 or 2, got {norm}")
    difference = generated - target
    loss = difference.abs() if norm == 1 else difference.square()
    return loss.mean() if weights is None else (loss * weights).mean() / weights.mean()


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of a map (N, C, h, w), or of (N, C), weighted by a finer map (N, 1, H, W)."""
    if weights is None or values.ndim != 4:
        return values.mean()
    coarse = F.adaptive_avg_pool2d(weights, (values.shape[-2], values.shape[-1]))
    return (values * coarse).sum() / (coarse.sum() * values.shape[1])


def discriminator_loss(real_score: Tensor, generated_score: Tensor, weights: Tensor | None = None) -> Tensor:
    """The negative of Eq. 9, which D_T minimises; scores are logits, their maps weighted as in `region_weights`."""
    return _mean(F.softplus(-real_score), weights) + _mean(F.softplus(generated_score), weights)


def adversarial_loss(generated_score: Tensor, weights: Tensor | None = None) -> Tensor:
    """G_T's side of Eq. 9, as -log D instead of log(1 - D): the same fixed point, gradients that do not vanish."""
    return _mean(F.softplus(-generated_score), weights)


def perceptual_loss(
    generated: Sequence[Sequence[Tensor]],
    target: Sequence[Sequence[Tensor]],
    alphas: Sequence[float],
    *,
    norm: int = 2,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean difference between features of pictures (Eq. 10).

    Args:
        generated: for each feature network the activations of its layers.
        target: the same for the real pictures; no gradient flows into them.
        alphas: one weight per network, alpha_1 and alpha_2 in the paper.
        norm: 2 for squares, as printed; 1 for absolute values.
        weights: of the places, (N, 1, H, W) as in `region_weights`; None for all alike.
    """
    loss = torch.zeros(())
    for alpha, ours, theirs in zip(alphas, generated, target, strict=True):
        layers = [
            _mean((a - b.detach()).abs() if norm == 1 else (a - b.detach()).square(), weights)
            for a, b in zip(ours, theirs, strict=True)
        ]
        loss = loss.to(layers[0]) + alpha * torch.stack(layers).mean()
    return loss


def sharpness_loss(generated: Tensor, target: Tensor, cell: int = 8) -> Tensor:
    """Mean difference of the detail in cells of pixels, as a share of the targets' detail.

    Detail is the size of the steps between neighbouring squares of two pixels: a chequered pattern would give steps
    between single ones. Unlike Eq. 8 it ignores their places, so it does not reward a blur where these cannot be known.

    Args:
        generated: I_t, (N, 3, H, W).
        target: I_t^*, the same shape.
        cell: side of a cell, pixels.
    """

    def detail(x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 2, 1)
        steps = (x[..., :-2, 2:] - x[..., :-2, :-2]).abs() + (x[..., 2:, :-2] - x[..., :-2, :-2]).abs()
        return F.avg_pool2d(steps, cell).mean(1)

    ours, theirs = detail(generated), detail(target)
    return (ours - theirs).abs().mean() / theirs.mean().clamp_min(1e-6)


def texture_loss(
    pixel: Tensor, adversarial: Tensor, perceptual: Tensor, lambda_pix: float, lambda_adv: float, lambda_feat: float
) -> Tensor:
    """The weighted sum that G_T minimises (Eq. 11)."""
    return lambda_pix * pixel + lambda_adv * adversarial + lambda_feat * perceptual


def region_weights(landmarks: Tensor, size: int, mouth: float, eyes: float) -> Tensor:
    """Weights of the pixels: 1, more by `mouth` around the lips and by `eyes` around the lids.

    Args:
        landmarks: (N, 68, 2) pixels.
        size: side of the picture.
        mouth: added around the lips.
        eyes: added around each eye.

    Returns:
        (N, 1, size, size).
    """
    places = torch.arange(size, device=landmarks.device, dtype=landmarks.dtype)
    weights = landmarks.new_ones(len(landmarks), size, size)
    for region, extra in ((OUTER_LIPS, mouth), (RIGHT_EYE, eyes), (LEFT_EYE, eyes)):
        low, high = landmarks[:, region].amin(1), landmarks[:, region].amax(1)
        width = (high - low)[:, :1]
        low, high = low - _MARGIN * width, high + _MARGIN * width  # (N, 2)
        inside = ((torch.minimum(places - low[..., None], high[..., None] - places)) / _SOFTNESS).clamp(0, 1)
        weights = weights + extra * inside[:, 1, :, None] * inside[:, 0, None, :]
    return weights[:, None]
