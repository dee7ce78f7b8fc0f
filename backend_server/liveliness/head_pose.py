"""Reads from landmarks how a head is turned; `shared.head` turns it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.head import POSE, HeadAxes, in_space, seen
from shared.landmarks import STABLE

_ROUNDS = 8  # of Gauss and Newton; three suffice for heads that are turned by ten degrees
_STEP = 1e-4
_DAMPING = 1e-4


def head_poses(landmarks: NDArray[np.floating], neutral: NDArray[np.floating]) -> NDArray[np.float64]:
    """How a head is turned in each frame beside the face at rest, (T, 6), as `shared.head.POSE`.

    Args:
        landmarks: (T, 68, 2) pixels.
        neutral: the face at rest, (68, 2) pixels.
    """
    stable = list(STABLE)
    axes = HeadAxes.of(neutral)
    points = in_space(axes.enter(np.asarray(neutral, np.float64)))[stable]
    there = axes.enter(np.asarray(landmarks, np.float64)[:, stable])
    poses = np.zeros((len(landmarks), len(POSE)))
    for _ in range(_ROUNDS):
        made = seen(points, poses)
        missing = (there - made).reshape(len(there), -1)
        slopes = np.stack(
            [(seen(points, poses + step) - made).reshape(len(there), -1) / _STEP for step in np.eye(6) * _STEP],
            -1,
        )
        normal = slopes.transpose(0, 2, 1) @ slopes + _DAMPING * np.eye(6)
        poses += np.linalg.solve(normal, np.einsum("tnk,tn->tk", slopes, missing)[..., None])[..., 0]
    return poses
