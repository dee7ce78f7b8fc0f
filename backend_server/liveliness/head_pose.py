"""Turns heads: reads from landmarks how a head is turned, and turns landmarks.

A face is 68 points in space, whose depths are the same for everybody, seen from far away (weak perspective).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.retarget import Points, procrustes_align
from shared.head import DEPTHS, POSE
from shared.landmarks import STABLE

_PIVOT_DEPTH = 0.7  # canonical units behind the mean of the points that hold still: between the ears
_ROUNDS = 8  # of Gauss and Newton; three suffice for heads that are turned by ten degrees
_STEP = 1e-4
_DAMPING = 1e-4

Array = NDArray[np.float64]


def head_poses(
    landmarks: NDArray[np.floating], neutral: NDArray[np.floating], canonical: NDArray[np.floating]
) -> Array:
    """How a head is turned in each frame beside the face at rest, (T, 6), as `shared.head.POSE`.

    Args:
        landmarks: (T, 68, 2) pixels.
        neutral: the face at rest, (68, 2) pixels.
        canonical: l_p^m, (68, 2) canonical units.
    """
    stable = list(STABLE)
    upright = procrustes_align(neutral, canonical)
    points, pivot = _in_space(upright.apply(np.asarray(neutral, np.float64)))
    seen = upright.apply(np.asarray(landmarks, np.float64))[:, stable] - pivot
    poses = np.zeros((len(landmarks), len(POSE)))
    for _ in range(_ROUNDS):
        made = _seen(points[stable], poses)
        missing = (seen - made).reshape(len(seen), -1)
        slopes = np.stack(
            [(_seen(points[stable], poses + step) - made).reshape(len(seen), -1) / _STEP for step in np.eye(6) * _STEP],
            -1,
        )
        normal = slopes.transpose(0, 2, 1) @ slopes + _DAMPING * np.eye(6)
        poses += np.linalg.solve(normal, np.einsum("tnk,tn->tk", slopes, missing)[..., None])[..., 0]
    return poses


def turned(landmarks: Points, neutral: Points, canonical: Points, poses: Points) -> NDArray[np.float32]:
    """Turns a head.

    Args:
        landmarks: of a head that holds still, (T, 68, 2) pixels.
        neutral: as in `head_poses`.
        canonical: as in `head_poses`.
        poses: (T, 6).
    """
    upright = procrustes_align(neutral, canonical)
    _, pivot = _in_space(upright.apply(np.asarray(neutral, np.float64)))
    flat = upright.apply(np.asarray(landmarks, np.float64)) - pivot
    depths = np.broadcast_to(_depths()[:, None], (*flat.shape[:-1], 1))
    moved = _seen(np.concatenate([flat, depths], -1), np.asarray(poses, np.float64)) + pivot
    return upright.inverse().apply(moved).astype(np.float32)


def rotations(poses: Points) -> Array:
    """The rotations (T, 3, 3) of poses: x right, y down, z away from the viewer."""
    yaw, pitch, roll = np.asarray(poses, np.float64)[:, :3].T
    one, none = np.ones_like(yaw), np.zeros_like(yaw)

    def matrices(*rows: Array) -> Array:
        return np.stack(rows, -1).reshape(-1, 3, 3)

    cosine, sine = np.cos, np.sin
    about_y = matrices(cosine(yaw), none, sine(yaw), none, one, none, -sine(yaw), none, cosine(yaw))
    about_x = matrices(one, none, none, none, cosine(pitch), -sine(pitch), none, sine(pitch), cosine(pitch))
    about_z = matrices(cosine(roll), -sine(roll), none, sine(roll), cosine(roll), none, none, none, one)
    return about_z @ about_x @ about_y


def _depths() -> Array:
    depths = np.array(DEPTHS)
    return depths - depths[list(STABLE)].mean() - _PIVOT_DEPTH


def _in_space(face: Array) -> tuple[Array, Array]:
    """A face (68, 2) in space, (68, 3), about the point that heads turn around; and where that is seen, (2,)."""
    pivot = face[list(STABLE)].mean(0)
    return np.concatenate([face - pivot, _depths()[:, None]], -1), pivot


def _seen(points: Array, poses: Array) -> Array:
    """Points (68, 3) or (T, 68, 3) as seen after the poses (T, 6): (T, 68, 2)."""
    spun = points @ rotations(poses).transpose(0, 2, 1)
    return np.exp(poses[:, 5])[:, None, None] * spun[..., :2] + poses[:, None, 3:5]
