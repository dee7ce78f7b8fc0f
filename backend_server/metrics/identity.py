"""Measures whether a generated face stays the same person, and the right one.

Both are distances between embeddings: numbers that a network for face recognition gives a picture, near for pictures
of one person and far for others. Embeddings are brought to length 1 first, so every distance lies in [0, 2].
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from shared.errors import ShapeError

Array = NDArray[np.floating]


class FaceEmbedding(Protocol):
    """A network that tells people apart."""

    def __call__(self, pictures: NDArray[np.uint8], landmarks: Array) -> Array:
        """Embeddings (N, D) of u8 pictures (N, H, W, 3), whose landmarks (N, 68, 2), pixels, say how to cut them."""
        ...


def average_content_distance(embeddings: Array) -> float:
    """Mean distance between all pairs of frames of one video (ACD; Tulyakov et al. 2018).

    Args:
        embeddings: (T, D).

    Returns:
        0 for a face that never changes; NaN for fewer than two frames.

    Raises:
        ShapeError: the array does not have two axes.
    """
    distances = pdist(_unit(embeddings))
    return float(distances.mean()) if len(distances) else float("nan")


def identity_distance(generated: Array, real: Array) -> float:
    """Mean distance between generated frames and the real frames they stand for, embeddings (T, D) both.

    Returns:
        0 for the same faces, 1.41 for unrelated ones; NaN without frames.

    Raises:
        ShapeError: the two shapes differ.
    """
    if generated.shape != real.shape:
        raise ShapeError(f"expected embeddings of one shape, got {generated.shape} and {real.shape}")
    distances = np.linalg.norm(_unit(generated) - _unit(real), axis=-1)
    return float(distances.mean()) if len(distances) else float("nan")


def _unit(embeddings: Array) -> NDArray[np.float64]:
    if embeddings.ndim != 2:
        raise ShapeError(f"expected embeddings (T, D), got an array of shape {embeddings.shape}")
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12), np.float64)
