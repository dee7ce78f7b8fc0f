"""Distances between a generated landmark motion and a real one, and the pose of mouth and eyes in it.

Measures of shape are divided by the distance of the eye centres, the canonical unit, so they mean the same in pixels
and on the canonical face. All of it is numpy on arrays (..., 68, 2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError
from shared.landmarks import LEFT_EYE, LIPS, POINT_COUNT, RIGHT_EYE

Array = NDArray[np.floating]

STILL = 1e-6  # a curve that varies by less is one of a face that does not move
CLOSED_OPENING = 0.03  # of the eye distance; a mouth at rest measures 0.00 to 0.03, a vowel 0.05 to 0.25


def _check(landmarks: Array) -> None:
    if landmarks.shape[-2:] != (POINT_COUNT, 2):
        raise ShapeError(f"expected landmarks of shape (..., {POINT_COUNT}, 2), got {landmarks.shape}")


def _distance(landmarks: Array, first: int, second: int) -> Array:
    return np.linalg.norm(landmarks[..., first, :] - landmarks[..., second, :], axis=-1)


def inter_ocular(landmarks: Array) -> Array:
    """Distance of the eye centres, (...,), in the unit of the landmarks (..., 68, 2)."""
    _check(landmarks)
    centres = landmarks[..., RIGHT_EYE, :].mean(-2) - landmarks[..., LEFT_EYE, :].mean(-2)
    return np.linalg.norm(centres, axis=-1)


def mouth_opening(landmarks: Array) -> Array:
    """Gap between the middles of the inner lips, (...,), as a share of the inter-ocular distance."""
    eyes = inter_ocular(landmarks)
    return _distance(landmarks, 62, 66) / eyes


def mouth_width(landmarks: Array) -> Array:
    """Distance of the mouth corners, (...,), as a share of the inter-ocular distance."""
    eyes = inter_ocular(landmarks)
    return _distance(landmarks, 48, 54) / eyes


def eye_aspect_ratios(landmarks: Array) -> Array:
    """Lid gap over eye width of the right and the left eye, (..., 2) (EAR; Soukupova & Cech 2016).

    About 0.3 for an open eye, under 0.15 for a closed one.
    """
    _check(landmarks)
    ratios = [
        (_distance(landmarks, eye + 1, eye + 5) + _distance(landmarks, eye + 2, eye + 4))
        / (2 * _distance(landmarks, eye, eye + 3))
        for eye in (36, 42)
    ]
    return np.stack(ratios, axis=-1)


def eye_aspect_ratio(landmarks: Array) -> Array:
    """Mean EAR of the two eyes, (...,)."""
    return eye_aspect_ratios(landmarks).mean(axis=-1)


def correlation(generated: Array, target: Array) -> float:
    """Pearson correlation of two curves (T,); 0 when either of them does not move by more than rounding."""
    if min(np.ptp(generated), np.ptp(target)) < STILL:
        return 0.0
    first, second = generated - generated.mean(), target - target.mean()
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale)


def amplitude_ratio(generated: Array, target: Array) -> float:
    """Standard deviation of a generated curve (T,) over that of the real one; under 1 the motion is too small."""
    spread = float(target.std())
    return float(generated.std()) / spread if spread > 1e-12 else 0.0


def spread_ratio(generated: Sequence[Array], target: Sequence[Array]) -> float:
    """Spread of several generated curves together over that of the real ones; under 1 the motion is too small.

    The mean of each curve is taken away first: how a mouth is held in a whole clip is no motion. Curves of large motion
    count more than in a mean of `amplitude_ratio`, and a clip in which somebody hardly moves does no harm.

    Args:
        generated: curves (T,), of any lengths.
        target: the real ones in the same order.
    """
    spreads = [sum(float(np.square(one - one.mean()).sum()) for one in curves) for curves in (generated, target)]
    return float(np.sqrt(spreads[0] / spreads[1])) if spreads[1] > 1e-12 else 0.0


def offset_frames(generated: Array, target: Array, reach: int = 8) -> float:
    """Delay at which a generated curve (T,) correlates best with the real one.

    The peak of the cross-correlation is read between frames, from the parabola through its three highest values.

    Args:
        generated: the curve to be judged.
        target: the real curve of the same length.
        reach: largest delay that is tried, frames.

    Returns:
        Frames, in [-reach, reach]; positive when the generated curve comes late.
    """
    length = len(target)
    reach = min(reach, length - 2)
    scores = {}
    for delay in range(-reach, reach + 1):
        late = generated[max(delay, 0) : length + min(delay, 0)]
        early = target[max(-delay, 0) : length - max(delay, 0)]
        scores[delay] = correlation(late, early)
    best = max(scores, key=lambda delay: (scores[delay], -abs(delay)))
    if abs(best) == reach:
        return float(best)
    before, peak, after = scores[best - 1], scores[best], scores[best + 1]
    bend = before - 2 * peak + after
    return best + 0.5 * (before - after) / bend if bend < -1e-12 else float(best)


def landmark_distance(generated: Array, target: Array, points: slice = LIPS) -> float:
    """Mean distance between the points of two motions (T, 68, 2), in their unit, as they stand."""
    if generated.shape != target.shape:
        raise ShapeError(f"expected two motions of one shape, got {generated.shape} and {target.shape}")
    return float(np.linalg.norm(generated[..., points, :] - target[..., points, :], axis=-1).mean())


def lip_shape_distance(generated: Array, target: Array) -> float:
    """LMD (Section 4.2): how far the lips differ in shape, as Chen et al. (2018) define it.

    In each frame the mean of the lips' twenty points is taken away, in both motions; what is averaged over points and
    frames is the distance of what is left. Where the mouth stands in the picture, and so where the head is, does not
    count; how it is turned and how large it is does.

    The paper names Chen et al. (2018, 2019) for its LMD and says that its landmarks are found in the rendered frames.
    Their program takes the means away, with landmarks found by dlib in both videos. Neither says how many pixels
    across a face is, so figures of different croppings do not compare exactly.

    Args:
        generated: landmarks found in rendered frames, (T, 68, 2) pixels.
        target: landmarks found in the recorded frames, of the same shape.

    Returns:
        Pixels.

    Raises:
        ShapeError: the shapes differ.
    """
    lips = [motion - motion[..., LIPS, :].mean(axis=-2, keepdims=True) for motion in (generated, target)]
    return landmark_distance(*lips)


def velocity_error(generated: Array, target: Array, points: slice = LIPS) -> float:
    """Mean distance between the frame-to-frame steps of two motions (T, 68, 2), units a frame."""
    return landmark_distance(np.diff(generated, axis=0), np.diff(target, axis=0), points)


def direction_agreement(generated: Array, target: Array, points: slice = LIPS) -> float:
    """Share of coordinates that rise, or do not, together from frame to frame.

    This is Eq. 3 as printed: one minus the mean of the squared difference of its ones and zeros.

    Args:
        generated: motion, (T, 68, 2).
        target: the real motion of the same shape.
        points: which points count.
    """
    rises = np.diff(generated[:, points], axis=0) > 0
    return float((rises == (np.diff(target[:, points], axis=0) > 0)).mean())


def closure_recall(generated: Array, target: Array, threshold: float = CLOSED_OPENING) -> float:
    """Share of the frames with really closed lips in which the generated lips are closed too.

    Args:
        generated: mouth openings, (T,).
        target: real mouth openings, (T,).
        threshold: opening under which lips count as closed.

    Returns:
        In [0, 1]; NaN when the real lips never close.
    """
    closed = target < threshold
    return float((generated[closed] < threshold).mean()) if closed.any() else float("nan")
