"""Finds the channels of a rig that move its face like a given motion: bounded, smoothed, sparse least squares.

No names are needed, only where each channel moves the landmarks. A frame's weights w make the least of

    |B w - d|^2 / |B|^2 + sparsity * |w| + evenness * |w|^2 + smoothness * |w - w of the frame before|^2

where B holds the channels' displacements, d the frame's, and |B|^2 is the mean of the channels that move anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError, ValueRangeError

STILL = 1e-3  # a channel that moves the landmarks by less than this share of the strongest moves nothing
BLOCK_FRAMES = 512  # solved together; bounds the memory
MOST_ROUNDS = 100  # of pivoting
CAREFUL_ROUND = 12  # from here on one weight changes at a time, which ends where all at once would turn in circles
NEAR = 1e-9  # of a bound

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SolveSettings:
    """What is asked of the weights beside the motion; each in shares of a typical channel's effect.

    Attributes:
        sparsity: how much a weight must explain to be used.
        evenness: shares what several channels explain between them.
        smoothness: keeps weights from jumping between frames.
        smoothings: how often neighbours are taken into account.
    """

    sparsity: float = 5e-4
    evenness: float = 3e-4
    smoothness: float = 1e-3
    smoothings: int = 2


@dataclass(frozen=True)
class Solved:
    """The channels of a rig over time.

    Attributes:
        weights: (T, C), within the bounds; 0, or the bound nearest to it, for channels that move nothing.
        residual: root mean square of what the landmarks lack, (T,), in the unit of the targets.
        moves: which channels move the landmarks at all, (C,).
    """

    weights: Array
    residual: Array
    moves: NDArray[np.bool_]


def solve(
    basis: Array,
    targets: Array,
    *,
    least: Array | float = 0.0,
    most: Array | float = 1.0,
    importance: Array | None = None,
    settings: SolveSettings | None = None,
) -> Solved:
    """The weights of a rig's channels for a motion.

    Args:
        basis: how far each channel moves each landmark at weight 1, (C, P, D).
        targets: displacements of the landmarks from rest, (T, P, D), same unit.
        least: lower bound of each weight, (C,), or of all.
        most: upper bound of each weight, (C,), or of all.
        importance: of each landmark, (P,), not negative; None: all count alike.
        settings: what is asked beside.

    Raises:
        ShapeError: basis and targets do not fit together.
        ValueRangeError: something is not finite, bounds cross, or no channel moves any landmark.
    """
    settings = settings or SolveSettings()
    if basis.ndim != 3 or targets.ndim != 3 or basis.shape[1:] != targets.shape[1:]:
        raise ShapeError(
            f"expected displacements (C, P, D) of channels and (T, P, D) of frames, got {basis.shape} and "
            f"{targets.shape}"
        )
    if not np.isfinite(basis).all() or not np.isfinite(targets).all():
        raise ValueRangeError("displacements must be finite; a channel or a frame holds NaN or infinity")
    count, points, axes = basis.shape
    lower, upper = (np.broadcast_to(np.asarray(bound, np.float64), (count,)) for bound in (least, most))
    if (lower > upper).any():
        raise ValueRangeError(f"channel {int((lower > upper).argmax())} has a lower bound above its upper one")
    share = np.ones(points) if importance is None else np.asarray(importance, np.float64)
    by_point = np.sqrt(share / share.mean())[:, None]
    effect = (basis * by_point).reshape(count, -1).astype(np.float64)
    strength = np.square(effect).sum(1)
    moves = strength > STILL**2 * strength.max(initial=0.0)
    if not moves.any():
        raise ValueRangeError("no channel of the rig moves a landmark; choose other meshes, keys or bones")
    weights = np.broadcast_to(np.clip(0.0, lower, upper), (len(targets), count)).astype(np.float32)
    problem = _Problem(effect[moves], lower[moves], upper[moves], settings)
    wanted = (targets * by_point).reshape(len(targets), points * axes)
    for begin in range(0, len(targets), BLOCK_FRAMES):
        end, first = begin + BLOCK_FRAMES, max(begin - settings.smoothings, 0)  # smoothing reaches as far: no seams
        found = problem.weights(wanted[first : end + settings.smoothings].astype(np.float64))
        weights[begin:end, moves] = found[begin - first : begin - first + len(weights[begin:end])]
    made = np.tensordot(weights, basis, 1)
    residual = np.sqrt(np.square(made - targets).sum(2).mean(1))
    return Solved(weights, residual.astype(np.float32), moves)


class _Problem:
    """One rig; solves blocks of frames, all at once, by block pivoting (Portugal, Judice and Vicente 1994).

    Each round solves the linear systems of all frames for the weights that are free, holds those that left their bounds
    at these, and frees those that pull away from theirs.
    """

    def __init__(
        self, effect: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], how: SolveSettings
    ) -> None:
        scale = np.square(effect).sum(1).mean()
        self.effect = effect / scale
        self.gram = effect @ effect.T / scale + how.evenness * np.eye(len(effect))
        self.lower, self.upper, self.how = lower, upper, how

    def weights(self, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights (T, C) for displacements (T, P * D)."""
        pull = wanted @ self.effect.T - self.how.sparsity / 2
        found = self._bounded(self.gram, pull, np.zeros(pull.shape, np.int8))
        if self.how.smoothness and len(found) > 1:
            stiff = self.gram + self.how.smoothness * np.eye(len(self.gram))
            for _ in range(self.how.smoothings):
                beside = found.copy()
                beside[1:-1] = (found[:-2] + found[2:]) / 2
                found = self._bounded(stiff, pull + self.how.smoothness * beside, self._sides(found))
        return found

    def _sides(self, weights: NDArray[np.float64]) -> NDArray[np.int8]:
        """-1 where a weight is at its lower bound, 1 at its upper, 0 between."""
        return (weights >= self.upper).astype(np.int8) - (weights <= self.lower)

    def _bounded(
        self, gram: NDArray[np.float64], pull: NDArray[np.float64], sides: NDArray[np.int8]
    ) -> NDArray[np.float64]:
        """Minima of w'Gw / 2 - pull'w within the bounds, (T, C), from a guess of the weights at their bounds."""
        found = np.empty_like(pull)
        open_frames = np.arange(len(pull))
        identity = np.eye(len(gram))
        for round_number in range(MOST_ROUNDS):
            side, wish = sides[open_frames], pull[open_frames]
            is_free = side == 0
            held = np.where(side > 0, self.upper, np.where(side < 0, self.lower, 0.0))
            rest = np.where(is_free, wish - held @ gram, held)
            if is_free.all():
                weights = np.linalg.solve(gram, rest.T).T
            else:
                both_free = is_free[:, :, None] & is_free[:, None, :]
                weights = np.linalg.solve(np.where(both_free, gram, identity), rest[..., None])[..., 0]
            slope = weights @ gram - wish
            above, below = is_free & (weights > self.upper + NEAR), is_free & (weights < self.lower - NEAR)
            leaves = ((side > 0) & (slope > NEAR)) | ((side < 0) & (slope < -NEAR))
            wrong = above | below | leaves
            if round_number >= CAREFUL_ROUND:  # one weight at a time, the last one, always ends
                wrong &= np.cumsum(wrong[:, ::-1], 1)[:, ::-1] == 1
            found[open_frames] = weights.clip(self.lower, self.upper)
            sides[open_frames] = np.where(wrong, above.astype(np.int8) - below, side)
            open_frames = open_frames[wrong.any(1)]
            if not len(open_frames):
                break
        return found
