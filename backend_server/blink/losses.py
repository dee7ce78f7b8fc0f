"""Measures how far the distribution of generated eye motion is from the real one (Eq. 6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from shared.errors import ShapeError


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """|x - y|^2 between all rows of (N, D) and (M, D), as (N, M)."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ShapeError(f"expected samples (N, D) and (M, D), got {tuple(first.shape)} and {tuple(second.shape)}")
    lengths = first.square().sum(1)[:, None] + second.square().sum(1)[None, :]
    return (lengths - 2 * first @ second.T).clamp_min(0)


def gaussian_kernel(first: Tensor, second: Tensor, sigmas: Sequence[float]) -> Tensor:
    """exp(-|x - y|^2 / (2 sigma)) between all rows, (N, M), averaged over the bandwidths.

    The paper has one sigma and does not give it; with several, motion is compared coarsely and finely at once.
    """
    distances = squared_distances(first, second)
    return torch.stack([torch.exp(-distances / (2 * sigma)) for sigma in sigmas]).mean(0)


def median_bandwidths(samples: Tensor, factors: Sequence[float]) -> list[float]:
    """Multiples of the median squared distance within samples (N, D) (the median heuristic; Gretton et al. 2007)."""
    distances = squared_distances(samples, samples)
    rows, columns = torch.triu_indices(len(samples), len(samples), 1).unbind()
    median = max(float(distances[rows, columns].median()), 1e-12)
    return [factor * median for factor in factors]


def mmd_loss(real: Tensor, generated: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Maximum mean discrepancy between two sets of samples (Eq. 6).

    Args:
        real: samples of the data, (N, D).
        generated: samples of the generator, (M, D).
        sigmas: bandwidths of the kernel, in squared units of the samples.

    Returns:
        Scalar, at least 0; 0 when both sets are the same. All pairs count, x with itself too.
    """
    return (
        gaussian_kernel(real, real, sigmas).mean()
        + gaussian_kernel(generated, generated, sigmas).mean()
        - 2 * gaussian_kernel(real, generated, sigmas).mean()
    )


def motion_range(displacements: Tensor) -> Tensor:
    """Average over sequences (N, T, P, 2) of the range, largest less smallest, of every coordinate: (P, 2)."""
    return (displacements.amax(1) - displacements.amin(1)).mean(0)


def range_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Squared difference of the average ranges of two sets of sequences (N, T, P, 2).

    This is the min-max regularisation of Section 3.2.
    """
    return (motion_range(real) - motion_range(generated)).square().sum()
