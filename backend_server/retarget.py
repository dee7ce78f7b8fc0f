"""Carries motion between the canonical face and one person's face (Section 3.3, Eq. 7).

Everything here is numpy and works on sequences of frames. "Landmarks" are pixels of the face crop, "canonical" are
canonical units: centred at 0, distance between the eye centres 1, y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import INNER_LIP_PAIRS, LEFT_EYE, MIRROR, POINT_COUNT, RIGHT_EYE, STABLE

Points = NDArray[np.floating]

LID_GAIN_RANGE = (0.5, 2.0)  # beyond it the landmarks of the lids are not reliable
FLATTEST = 1e-3  # across over along; landmarks that are flatter lie on a line


class Extent(NamedTuple):
    """The size of a set of points, S in Eq. 7."""

    height: float
    width: float


@dataclass(frozen=True)
class Similarity:
    """A rotation, a uniform scale and a shift of the plane: `points @ matrix.T + offset`.

    Attributes:
        matrix: (..., 2, 2), scale times rotation; no shear, no reflection.
        offset: (..., 2).
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def apply(self, points: Points) -> NDArray[np.float64]:
        """Returns `points` (..., N, 2) moved by this similarity, float64."""
        return points @ np.swapaxes(self.matrix, -1, -2) + self.offset[..., None, :]

    def inverse(self) -> Similarity:
        """Returns the similarity that undoes this one."""
        matrix = np.asarray(np.linalg.inv(self.matrix), np.float64)
        return Similarity(matrix, -np.einsum("...ij,...j->...i", matrix, self.offset))


def procrustes_align(source: Points, target: Points) -> Similarity:
    """Finds the similarity that brings `source` nearest to `target`, T in Eq. 7.

    Least squares over the points, in closed form: with points as complex numbers about their means, the best factor
    is sum(conj(s) t) / sum(|s|^2).

    Args:
        source: (..., N, 2) points.
        target: points of the same N; leading axes broadcast.

    Raises:
        ShapeError: the two do not hold the same number of plane points.
        ValueRangeError: all source points of a frame are one point.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape[-2:] != target.shape[-2:] or source.shape[-1] != 2:
        raise ShapeError(f"Points to align must have the same shape (N, 2), got {source.shape} and {target.shape}.")
    source_mean, target_mean = source.mean(-2), target.mean(-2)
    s = _as_complex(source - source_mean[..., None, :])
    t = _as_complex(target - target_mean[..., None, :])
    spread = (np.abs(s) ** 2).sum(-1)
    if not np.all(spread > 0):
        raise ValueRangeError("The landmarks of a face are all at one point; check how they were placed.")
    factor = (np.conj(s) * t).sum(-1) / spread
    matrix = np.stack(
        [np.stack([factor.real, -factor.imag], -1), np.stack([factor.imag, factor.real], -1)], -2
    )  # (..., 2, 2)
    return Similarity(matrix, target_mean - np.einsum("...ij,...j->...i", matrix, source_mean))


def extent(points: Points) -> Extent:
    """Returns height and width of the box around `points` (N, 2), S in Eq. 7."""
    width, height = np.ptp(np.asarray(points, np.float64), axis=0)
    return Extent(float(height), float(width))


def stabilise(landmarks: Points, neutral: Points) -> NDArray[np.float32]:
    """Removes the head's own motion, so that only the motion of the face is left.

    Every frame is brought onto `neutral` by the similarity that fits the points which neither speech nor a blink moves.

    Args:
        landmarks: (T, 68, 2).
        neutral: (68, 2), in the same unit.
    """
    stable = list(STABLE)
    heads = procrustes_align(landmarks[:, stable], neutral[stable])
    return heads.apply(landmarks).astype(np.float32)


def retarget(canonical: Points, neutral_canonical: Points, neutral_landmarks: Points) -> NDArray[np.float32]:
    """Carries canonical motion over to a person's face (Eq. 7).

    The paper prints the scale as S(l_t) / S(T(l_t^M)), which defines l_t by itself; the neutral shapes stand in for
    both, and one alignment serves all frames. The paper's extents follow the image axes; here they follow the axes of
    the canonical face, which is the same for an upright head and makes the motion of a tilted one tilt with it.

    Args:
        canonical: l_t^M, (T, 68, 2) canonical units.
        neutral_canonical: l_p^m, (68, 2) canonical units.
        neutral_landmarks: l_p, (68, 2) pixels.

    Returns:
        l_t, (T, 68, 2) pixels.

    Raises:
        ShapeError: the two neutral shapes do not hold the same number of points.
        ValueRangeError: the points of one of them lie on a line, or are not finite numbers.
    """
    transfer = _displacement_transfer(neutral_canonical, neutral_landmarks)
    displacements = (np.asarray(canonical, np.float64) - neutral_canonical) @ transfer.T
    return (neutral_landmarks + displacements).astype(np.float32)


def keep_lips_apart(landmarks: Points, neutral_landmarks: Points) -> NDArray[np.float32]:
    """Lets the inner lips meet where retargeted motion would carry them through each other.

    The paper adds the same motion to every face (Eq. 7): where a face rests with thinner or closer lips than the
    canonical one, a closing mouth would cross them.

    Args:
        landmarks: l_t, (T, 68, 2) pixels.
        neutral_landmarks: l_p, (68, 2) pixels; lips that cross in it already stay as they are.
    """
    across = neutral_landmarks[LEFT_EYE].mean(0) - neutral_landmarks[RIGHT_EYE].mean(0)
    down = np.array([-across[1], across[0]]) / np.linalg.norm(across)  # of the face, tilted or not
    upper, lower = (list(points) for points in zip(*INNER_LIP_PAIRS, strict=True))
    rest = np.minimum((neutral_landmarks[lower] - neutral_landmarks[upper]) @ down, 0)
    crossed = np.minimum((landmarks[:, lower] - landmarks[:, upper]) @ down - rest, 0)  # (T, 3), at most 0
    kept = np.asarray(landmarks, np.float64).copy()
    kept[:, upper] += crossed[..., None] / 2 * down
    kept[:, lower] -= crossed[..., None] / 2 * down
    return kept.astype(np.float32)


def lid_gains(neutral_canonical: Points, neutral_landmarks: Points) -> tuple[float, float]:
    """By how much the lids' motion must grow for the right and the left eye of a person to close, after Eq. 7.

    The paper scales all points by the size of the whole face, so eyes that are larger for their face than the mean
    face's would stay half open in a blink.

    Args:
        neutral_canonical: l_p^m, (68, 2) canonical units.
        neutral_landmarks: l_p, (68, 2) pixels.
    """
    transfer = _displacement_transfer(neutral_canonical, neutral_landmarks)
    gains = [
        _lid_gap(neutral_landmarks[eye]) / max(_lid_gap(neutral_canonical[eye] @ transfer.T), 1e-6)
        for eye in (RIGHT_EYE, LEFT_EYE)
    ]
    low, high = LID_GAIN_RANGE
    return min(max(gains[0], low), high), min(max(gains[1], low), high)


def to_canonical(landmarks: Points, neutral_landmarks: Points, neutral_canonical: Points) -> NDArray[np.float32]:
    """Carries a person's motion over to the canonical face, the inverse of `retarget` (Section 4.2).

    Args:
        landmarks: l_t without head motion (see `stabilise`), (T, 68, 2) pixels.
        neutral_landmarks: l_p, (68, 2) pixels.
        neutral_canonical: l_p^m, (68, 2) canonical units.

    Returns:
        l_t^M, (T, 68, 2) canonical units.
    """
    transfer = np.linalg.inv(_displacement_transfer(neutral_canonical, neutral_landmarks))
    displacements = (np.asarray(landmarks, np.float64) - neutral_landmarks) @ transfer.T
    return (neutral_canonical + displacements).astype(np.float32)


def normalise_shape(points: Points) -> NDArray[np.float64]:
    """Brings one face into canonical units: centroid 0, eye line level, distance between the eye centres 1.

    Args:
        points: (68, 2), any unit, y down.

    Raises:
        ShapeError: not 68 points.
        ValueRangeError: the two eyes are at one point.
    """
    points = np.asarray(points, np.float64)
    if points.shape != (POINT_COUNT, 2):
        raise ShapeError(f"A face needs 68 points of 2 coordinates, got an array of shape {points.shape}.")
    right, left = points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0)
    if np.allclose(right, left):
        raise ValueRangeError("The two eyes of a face are at one point; check how its landmarks were placed.")
    level = procrustes_align(np.stack([right, left]), np.array([[-0.5, 0.0], [0.5, 0.0]]))
    shape = level.apply(points)
    return shape - shape.mean(0)


def mean_shape(shapes: list[Points]) -> NDArray[np.float32]:
    """Returns the symmetric mean of faces, l_p^m, (68, 2) canonical units; each face weighs the same."""
    mean = np.mean([normalise_shape(shape) for shape in shapes], axis=0)
    mirrored = mean[MIRROR] * (-1.0, 1.0)
    return normalise_shape((mean + mirrored) / 2).astype(np.float32)


def _displacement_transfer(neutral_canonical: Points, neutral_landmarks: Points) -> NDArray[np.float64]:
    """Returns the matrix (2, 2) from canonical displacements to pixels: T's rotation and scale after S's ratios."""
    for points in (neutral_canonical, neutral_landmarks):
        _check_spread(points)
    align = procrustes_align(neutral_canonical, neutral_landmarks)
    person, canonical = extent(align.inverse().apply(neutral_landmarks)), extent(neutral_canonical)
    return align.matrix * (person.width / canonical.width, person.height / canonical.height)


def _check_spread(points: Points) -> None:
    """Raises `ValueRangeError` when a face's points (N, 2) do not span the plane."""
    if not np.isfinite(points).all():
        raise ValueRangeError("The landmarks of a face hold a number that is not finite; check how they were placed.")
    along, across = np.linalg.svd(points - np.mean(points, axis=0), compute_uv=False)
    if not across > FLATTEST * along:
        raise ValueRangeError("The landmarks of a face lie on one line or point; check how they were placed.")


def _lid_gap(eye: Points) -> float:
    """Mean distance of the upper from the lower lid of one eye's six points."""
    return float(np.linalg.norm(eye[[1, 2]] - eye[[5, 4]], axis=1).mean())


def _as_complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return points[..., 0] + 1j * points[..., 1]
