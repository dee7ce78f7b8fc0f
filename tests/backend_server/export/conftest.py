"""Random numbers that are the same every time, and a small talking mesh."""

from fractions import Fraction

import numpy as np
import pytest

from backend_server.export.morphs import MorphAnimation, MorphMesh, Paint
from backend_server.export.tags import synthetic_tags


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def mesh():
    """A bent sheet of 8 x 6 quads and two targets, one a corner's, half of it painted."""
    x, y = np.meshgrid(np.linspace(-0.1, 0.1, 9), np.linspace(-0.1, 0.1, 7))
    vertices = np.stack([x, y, 0.05 - x**2], axis=-1).reshape(-1, 3).astype(np.float32)
    corners = np.array([[9 * row + column for column in range(8)] for row in range(6)]).ravel()
    faces = np.stack([corners, corners + 1, corners + 10, corners + 9], axis=1)
    deltas = np.zeros((2, 63, 3), np.float32)
    deltas[0, :9, 1] = -0.02
    deltas[1, 62] = (0.01, 0.02, 0.03)
    return MorphMesh("Face", vertices, faces, deltas, (Paint("skin", (0.6, 0.3, 0.2), np.arange(24)),))


@pytest.fixture
def animation(rng):
    """Weights of two targets, one with a name that no identifier can have, at 24 / 1.001 frames per second."""
    weights, times = rng.uniform(0, 1, (40, 2)).astype(np.float32), np.arange(40) * 1001 / 24000
    return MorphAnimation(("jawOpen", "口 開"), weights, times, Fraction(24000, 1001), synthetic_tags("abc", 3))
