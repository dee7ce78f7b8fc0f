"""Turns the weights of ARKit's 52 shapes into the channels of a rig, as its mapping says.

`backend_server.rig.conversion` does the same with scipy's solver, which is faster for many frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..arkit import MIRROR, SHAPES
from ..errors import ShapeError, ValueRangeError
from .mapping import Channel, RigMapping

# How poses are mixed. Two poses are mostly 0.1 to 0.4 apart: the root of the sum of their squared differences.
NEARNESS = 0.005  # times its distance from the face: what a pose's share costs beside the squared error
EVENNESS = 1e-6  # times the square of a share: makes the mixture the only one
UNITY = 10.0  # how much the shares' sum of 1 weighs beside the fit
MOST_ROUNDS = 100  # of the solver, for each pose; it takes about one
_ZERO = 1e-10  # of shares and of what moving them would gain

Array = NDArray[np.float32]
Doubles = NDArray[np.float64]
Solver = Callable[[Doubles, Doubles], Doubles]


def non_negative(matrix: Doubles, target: Doubles) -> Doubles:
    """The x (C,) of at least 0 with the least |matrix @ x - target|, for a matrix (M, C) of full rank.

    It is the method of active sets of Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23).
    """
    found, is_free = np.zeros(matrix.shape[1]), np.zeros(matrix.shape[1], bool)
    for _ in range(MOST_ROUNDS * len(found)):
        pull = np.where(is_free, 0.0, matrix.T @ (target - matrix @ found))
        if pull.max(initial=0.0) <= _ZERO:
            break
        is_free[pull.argmax()] = True
        while True:
            best = np.zeros_like(found)
            best[is_free] = np.linalg.lstsq(matrix[:, is_free], target, rcond=None)[0]
            is_low = is_free & (best <= 0.0)
            if not is_low.any():
                break
            found += (found[is_low] / (found[is_low] - best[is_low])).min(initial=1.0) * (best - found)
            is_free &= found > _ZERO
        found = best
    return found


def source_weights(sources: Sequence[tuple[str, float]]) -> Array:
    """The weights (52,) of a face that shows some shapes of ARKit, each with its weight, and is at rest else."""
    weights = np.zeros(len(SHAPES), np.float32)
    for shape, weight in sources:
        weights[SHAPES.index(shape)] = weight
    return weights


def rig_weights(mapping: RigMapping, arkit: Array, frame_times: Doubles, solve: Solver = non_negative) -> Array:
    """The values of a rig's channels over time, (T, C), within each channel's limits.

    Args:
        mapping: of the rig; its channels are the columns.
        arkit: weights of `shared.arkit.SHAPES`, (T, 52).
        frame_times: (T,) seconds, rising; tells how many frames a held channel stays.
        solve: finds the x of at least 0 with the least |A @ x - b| for a triangular A (C, C) and b (C,).

    Raises:
        ShapeError: the arrays do not have these shapes.
        ValueRangeError: a weight is not finite, or the times do not rise.
    """
    if arkit.ndim != 2 or arkit.shape != (len(frame_times), len(SHAPES)):
        raise ShapeError(f"expected weights of shape {(len(frame_times), len(SHAPES))}, got {arkit.shape}")
    if not np.isfinite(arkit).all():
        frame, shape = np.argwhere(~np.isfinite(arkit))[0]
        raise ValueRangeError(f"{SHAPES[shape]} is {arkit[frame, shape]} in frame {frame}; give finite weights")
    if not (np.diff(frame_times) > 0).all():
        raise ValueRangeError("the frame times do not rise; give one later than the other")
    channels, weights = mapping.channels, arkit.astype(np.float64)
    made = np.empty((len(arkit), len(channels)))
    for method in ("sum", "pose", "held"):
        columns = [number for number, channel in enumerate(channels) if channel.method == method]
        if not columns:
            continue
        gains = source_gains([channels[column] for column in columns], is_mirrored=mapping.is_mirrored)
        if method == "sum":
            made[:, columns] = weights @ gains.T
        elif method == "pose":
            made[:, columns] = _shares(weights, gains, solve)
        else:
            made[:, columns] = _held(weights, gains, _frames_held(mapping.hold_seconds, frame_times))
    moved = made * [0.0 if channel.is_muted else mapping.gain * channel.gain for channel in channels]
    limits = np.array([(channel.offset, channel.least, channel.most) for channel in channels])
    return np.clip(limits[:, 0] + moved, limits[:, 1], limits[:, 2]).astype(np.float32)


def source_gains(channels: Sequence[Channel], *, is_mirrored: bool = False) -> Doubles:
    """The gain of each shape in each channel, (C, 52); left and right are swapped where a channel is mirrored."""
    gains = np.zeros((len(channels), len(SHAPES)))
    for row, channel in zip(gains, channels, strict=True):
        is_swapped = channel.is_mirrored != is_mirrored
        for source in channel.sources:
            shape = SHAPES.index(source.shape)
            row[MIRROR[shape] if is_swapped else shape] = source.gain
    return gains


def _shares(weights: Doubles, poses: Doubles, solve: Solver) -> Doubles:
    """How much of each pose (C, 52) is in each frame (T, 52): shares of at least 0 that add up to 1 with the rest.

    Of a frame b the shares w minimise |b - w @ poses|^2 + 2 NEARNESS sum(w distances) + EVENNESS |w|^2, so that it is
    mixed of few poses, which are like it; shapes that are in no pose do not count. The costs of the distances, linear
    in w, are written as a shift of b, and one solver of least squares without signs does all.
    """
    is_rest = ~poses.any(axis=1)
    is_moved = poses.any(axis=0)
    kept = np.vstack([poses[~is_rest][:, is_moved], np.zeros(is_moved.sum())])  # the last is the pose at rest
    count, weights = len(kept), weights[:, is_moved]
    basis = np.vstack([kept.T, math.sqrt(EVENNESS) * np.eye(count), np.full(count, UNITY)])
    orthogonal, triangular = np.linalg.qr(basis)
    found = np.zeros((len(weights), count))
    found[:, -1] = 1.0
    moving = np.flatnonzero(weights.any(axis=1))
    shown = weights[moving]
    costs = NEARNESS * np.stack([np.linalg.norm(shown - pose, axis=1) for pose in kept], axis=1)
    targets = shown @ orthogonal[: is_moved.sum()] + UNITY * orthogonal[-1]
    targets -= np.linalg.solve(triangular.T, costs.T).T
    for frame, target in zip(moving, targets, strict=True):
        found[frame] = solve(triangular, target)
    found /= found.sum(axis=1, keepdims=True)
    shares = np.empty((len(weights), len(poses)))
    shares[:, ~is_rest] = found[:, :-1]
    shares[:, is_rest] = found[:, -1:] / max(1, is_rest.sum())
    return shares


def _held(weights: Doubles, poses: Doubles, hold: int) -> Doubles:
    """1 for the pose (C, 52) that is shown in a frame (T, 52), else 0.

    Of all ways to show each pose for at least `hold` frames, it is the one whose squared distances sum up to the least.
    """
    frame_count, pose_count = len(weights), len(poses)
    distances = np.square(poses).sum(axis=1) - 2 * weights @ poses.T  # less what all poses have in common
    shown = np.zeros((frame_count, pose_count))
    hold = min(hold, frame_count)
    if hold == 0:
        return shown
    sums = np.vstack([np.zeros(pose_count), np.cumsum(distances, axis=0)])
    best = np.full((frame_count, pose_count), np.inf)  # of all ways up to a frame in which the pose has been held
    entered = np.full((frame_count, pose_count), -1)  # the pose before, where a hold has just become long enough
    best[hold - 1] = sums[hold]
    for frame in range(hold, frame_count):
        best[frame] = best[frame - 1] + distances[frame]
        start = frame - hold  # the last frame of the pose before
        if start < hold - 1:
            continue
        order = np.argsort(best[start], kind="stable")
        before = np.where(np.arange(pose_count) == order[0], order[min(1, pose_count - 1)], order[0])
        entering = best[start, before] + sums[frame + 1] - sums[start + 1]
        is_better = entering < best[frame]
        best[frame, is_better], entered[frame, is_better] = entering[is_better], before[is_better]
    frame, pose = frame_count - 1, int(best[-1].argmin())
    while frame >= 0:
        has_begun = frame == hold - 1 or entered[frame, pose] >= 0
        first = frame - hold + 1 if has_begun else frame
        shown[first : frame + 1, pose] = 1
        frame, pose = first - 1, int(entered[frame, pose]) if has_begun else pose
    return shown


def _frames_held(hold_seconds: float, frame_times: Doubles) -> int:
    if len(frame_times) < 2:
        return 1
    return max(1, math.ceil(hold_seconds / float(np.median(np.diff(frame_times))) - 1e-6))
