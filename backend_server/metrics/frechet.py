"""Compares how two sets of things are spread, as if both were normal distributions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError


def frechet_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """The squared Frechet (2-Wasserstein) distance of two samples (N, C) and (M, C) (Dowson & Landau 1982).

    Raises:
        ShapeError: they have other channels, or fewer than two rows.
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ShapeError(f"expected two samples (N, C) of the same channels, got {one.shape} and {other.shape}")
    mean = np.square(one.mean(0) - other.mean(0)).sum()
    first, second = np.cov(one.T).reshape(one.shape[1], -1), np.cov(other.T).reshape(one.shape[1], -1)
    root = _root(first)
    between = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(mean + np.trace(first) + np.trace(second) - 2 * between)


def _root(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T
