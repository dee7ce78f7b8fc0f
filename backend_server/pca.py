"""Finds the few directions that hold a set of landmark displacements (Section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PrincipalComponents:
    """A mean and an orthonormal basis.

    Attributes:
        mean: (D,).
        components: (C, D), rows of length 1, most variance first.
        variances: (C,), in squared units of the data.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor

    def encode(self, data: Tensor) -> Tensor:
        """Coefficients (N, C) of data (N, D)."""
        return (data - self.mean) @ self.components.T

    def decode(self, coefficients: Tensor) -> Tensor:
        """Data (N, D) of coefficients (N, C)."""
        return coefficients @ self.components + self.mean


def fit_pca(data: Tensor, count: int | None = None, *, variance: float | None = None) -> PrincipalComponents:
    """Principal components of data (N, D).

    Args:
        data: one sample per row.
        count: how many components; all when neither this nor `variance` is given.
        variance: the share of variance to keep, in (0, 1]; the fewest components that reach it.
    """
    mean = data.mean(0)
    _, singular_values, components = torch.linalg.svd(data - mean, full_matrices=False)
    variances = singular_values.square() / max(len(data) - 1, 1)
    if variance is not None:
        share = variances.cumsum(0) / variances.sum()
        count = int((share < variance).sum()) + 1
    count = min(count or len(components), len(components))
    return PrincipalComponents(mean, components[:count].contiguous(), variances[:count])
