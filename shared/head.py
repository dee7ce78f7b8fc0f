"""Says what a pose of the head is, how deep the landmarks lie in it, and where it shows them.

A face is 68 points in space, whose depths are the same for everybody, seen from far away (weak perspective).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ValueRangeError
from .landmarks import LEFT_EYE, RIGHT_EYE, STABLE

# Turned to the person's right and down, tilted to the person's left shoulder: radians. Moved right and down in the
# picture: distances of the eyes. Nearer: the logarithm of the size.
POSE = ("yaw", "pitch", "roll", "right", "down", "nearer")

# How far behind the mean each landmark lies, in distances of the eyes: means over forty frames of twenty people, as
# MediaPipe's mesh has them, both sides alike.
DEPTHS = (
    0.83, 0.91, 0.90, 0.84, 0.72, 0.48, 0.30, 0.11, 0.05,
    0.11, 0.30, 0.48, 0.72, 0.84, 0.90, 0.91, 0.83,
    0.04, -0.09, -0.20, -0.29, -0.34, -0.34, -0.29, -0.20, -0.09, 0.04,
    -0.31, -0.45, -0.58, -0.66, -0.25, -0.35, -0.37, -0.35, -0.25,
    0.04, -0.07, -0.10, -0.04, -0.08, -0.05, -0.04, -0.10, -0.07, 0.04, -0.05, -0.08,
    -0.04, -0.29, -0.35, -0.37, -0.35, -0.29, -0.04, -0.19, -0.23, -0.23, -0.23, -0.19,
    -0.07, -0.22, -0.27, -0.22, -0.07, -0.19, -0.24, -0.19,
)  # fmt: skip

PIVOT_DEPTH = sum(DEPTHS[point] for point in STABLE) / len(STABLE) + 0.7  # as `DEPTHS`: between the ears

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeadAxes:
    """The axes of a face at rest in which its head is posed: right and down in the face, and away from the viewer.

    Attributes:
        pivot: (2,) pixels, where the point is seen that the head turns about: amid the landmarks that hold still.
        right: (2,) pixels, from the middle of the right eye to that of the left one.
    """

    pivot: Array
    right: Array

    @classmethod
    def of(cls, neutral: NDArray[np.floating]) -> HeadAxes:
        """The axes of a face at rest, (68, 2) pixels, y down.

        Raises:
            ValueRangeError: its eyes are at one point.
        """
        face = np.asarray(neutral, np.float64)
        right = face[LEFT_EYE].mean(0) - face[RIGHT_EYE].mean(0)
        if not np.linalg.norm(right) > 0:
            raise ValueRangeError("The two eyes of a face are at one point; check how its landmarks were placed.")
        return cls(face[list(STABLE)].mean(0), right)

    @property
    def down(self) -> Array:
        """(2,) pixels, as far as `right`, square to it."""
        return np.array([-self.right[1], self.right[0]])

    @property
    def eye_distance(self) -> float:
        """Pixels; the unit of poses and depths."""
        return float(np.linalg.norm(self.right))

    def enter(self, pixels: NDArray[np.floating]) -> Array:
        """Points (..., 2) from pixels into these axes, in distances of the eyes from the pivot."""
        return (pixels - self.pivot) @ np.stack([self.right, self.down], 1) / self.eye_distance**2

    def leave(self, points: NDArray[np.floating]) -> Array:
        """The inverse of `enter`."""
        return points @ np.stack([self.right, self.down]) + self.pivot


def in_space(flat: NDArray[np.floating]) -> Array:
    """Landmarks (..., 68, 2) in the axes of their head with their depths, (..., 68, 3)."""
    depths = np.array(DEPTHS) - PIVOT_DEPTH
    return np.concatenate([np.asarray(flat, np.float64), np.broadcast_to(depths[:, None], (*flat.shape[:-1], 1))], -1)


def rotations(poses: NDArray[np.floating]) -> Array:
    """The rotations (T, 3, 3) of poses (T, 6): first by the yaw, then the pitch, then the roll."""
    yaw, pitch, roll = np.asarray(poses, np.float64)[:, :3].T
    one, none = np.ones_like(yaw), np.zeros_like(yaw)

    def matrices(*rows: Array) -> Array:
        return np.stack(rows, -1).reshape(-1, 3, 3)

    cosine, sine = np.cos, np.sin
    about_down = matrices(cosine(yaw), none, sine(yaw), none, one, none, -sine(yaw), none, cosine(yaw))
    about_right = matrices(one, none, none, none, cosine(pitch), -sine(pitch), none, sine(pitch), cosine(pitch))
    about_away = matrices(cosine(roll), -sine(roll), none, sine(roll), cosine(roll), none, none, none, one)
    return about_away @ about_right @ about_down


def seen(points: NDArray[np.floating], poses: NDArray[np.floating]) -> Array:
    """Where points (N, 3) or (T, N, 3) are seen after poses (T, 6), all in the axes of the head: (T, N, 2)."""
    spun = points @ rotations(poses).transpose(0, 2, 1)
    return np.exp(poses[:, 5])[:, None, None] * spun[..., :2] + poses[:, None, 3:5]


def turned(
    landmarks: NDArray[np.floating], neutral: NDArray[np.floating], poses: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Turns a head.

    Args:
        landmarks: of a head that holds still, (T, 68, 2) pixels.
        neutral: the face at rest, (68, 2) pixels.
        poses: (T, 6).
    """
    axes = HeadAxes.of(neutral)
    moved = seen(in_space(axes.enter(np.asarray(landmarks, np.float64))), np.asarray(poses, np.float64))
    return axes.leave(moved).astype(np.float32)
