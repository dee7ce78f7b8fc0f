"""Runs the motion network along sound of any length, and reads its motion at the times of frames.

The network says one displacement for each feature. Frames lie between them, at any rate and spacing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.motion.generator import MotionGenerator
from shared.errors import ShapeError

BLOCK_FEATURES = 4096  # heard at once

Array = NDArray[np.float32]


def read_at(motion: Tensor, positions: Tensor) -> Tensor:
    """Motion between its rows.

    Args:
        motion: (N, U, 68, 2).
        positions: (N, T), 0 to U - 1; beyond the ends the nearest row is repeated.

    Returns:
        (N, T, 68, 2).
    """
    last = motion.shape[1] - 1
    positions = positions.clamp(0, last)
    lower = positions.long().clamp(max=max(last - 1, 0))
    share = (positions - lower)[..., None, None].to(motion)
    rows = torch.arange(len(motion), device=motion.device)[:, None]
    return motion[rows, lower].lerp(motion[rows, (lower + 1).clamp(max=last)], share)


def motion_at(
    generator: MotionGenerator, feature_blocks: Iterable[Array], frame_times: NDArray[np.float64]
) -> Iterator[Array]:
    """Displacements of all frames, (m, 68, 2) at a time, canonical units.

    What no later frame needs is dropped, and no features are asked for once every frame has its motion.

    Args:
        generator: of the motion.
        feature_blocks: (n, C) each, in their order; at least one feature.
        frame_times: (T,), seconds, ascending; beyond the ends of the sound the nearest motion is repeated.

    Raises:
        ShapeError: there are no features, or they have a wrong width.
    """
    positions = torch.from_numpy(frame_times * generator.config.features_per_second)
    kept, first, done = None, 0, 0  # `first` is the number of the first row kept

    def read(end: int) -> Array:
        assert kept is not None
        return read_at(kept[None], (positions[None, done:end] - first).to(kept.device))[0].cpu().numpy()

    for made in _generated(generator, feature_blocks):
        if kept is None:
            kept = made
        else:
            first, kept = first + len(kept) - 1, torch.cat([kept[-1:], made])
        end = int(torch.searchsorted(positions, first + len(kept) - 1, right=True))
        if end > done:
            yield read(end)
            done = end
        if done == len(positions):
            return
    yield read(len(positions))


def _generated(generator: MotionGenerator, blocks: Iterable[Array]) -> Iterator[Tensor]:
    """Displacements (m, 68, 2) of one feature after another; the first and the last are repeated beyond the ends."""
    reach = generator.before + generator.after
    heard = np.zeros((0, 0), np.float32)
    for block in blocks:
        for begin in range(0, len(block), BLOCK_FEATURES):
            part = block[begin : begin + BLOCK_FEATURES]
            heard = np.concatenate([heard if len(heard) else part[:1].repeat(generator.before, 0), part])
            if len(heard) > reach:
                yield _run(generator, heard)
                heard = heard[len(heard) - reach :]
    if not len(heard):
        raise ShapeError("expected features of speech of shape (U, C) with U above 0, got none")
    heard = np.concatenate([heard, heard[-1:].repeat(generator.after, 0)])
    if len(heard) > reach:
        yield _run(generator, heard)


def _run(generator: MotionGenerator, heard: Array) -> Tensor:
    return generator(torch.from_numpy(heard).to(generator.neutral_canonical.device)[None])[0]
