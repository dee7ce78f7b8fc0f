"""Moves the mouth to given phones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.articulation.dominance import GROUPS, shares
from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.articulation.visemes import (
    VISEMES,
    VisemeTable,
    load_visemes,
    manner_indices,
    visemes_of,
)
from shared.errors import ValueRangeError
from shared.landmarks import INNER_LIP_PAIRS

_REACH_SECONDS = 2.0  # sounds further away have no share worth counting
_BLOCK = 256  # frames at once, which bounds memory

Sound = tuple[int, float, float]  # index of its viseme, begin and end in seconds


def sounds_of(phones: Sequence[TimedPhone]) -> list[Sound]:
    """The visemes of phones with their times.

    Raises:
        ValueRangeError: a phone has no viseme.
    """
    index = {name: number for number, name in enumerate(VISEMES)}
    sounds: list[Sound] = []
    for phone in phones:
        names = visemes_of(phone.name)
        if any(name not in index for name in names):
            raise ValueRangeError(
                f"there is no phone {phone.name!r}; the phones are those of articulation.phones.PHONES"
            )
        edges = np.linspace(phone.begin, phone.end, len(names) + 1).tolist()
        sounds += [(index[name], edges[i], edges[i + 1]) for i, name in enumerate(names)]
    return sounds


def articulate(
    phones: Sequence[TimedPhone], frame_times: NDArray[np.floating], table: VisemeTable | None = None
) -> NDArray[np.float32]:
    """Displacements of the canonical face while it says phones, (T, 68, 2), canonical units.

    Args:
        phones: in the order of their times.
        frame_times: seconds, (T,), ascending.
        table: targets and dominances; the shipped ones when None.

    Raises:
        ValueRangeError: there are no phones, or one has no viseme.
        WeightsError: the shipped table cannot be read.
    """
    table = table or load_visemes()
    if not phones:
        raise ValueRangeError("there are no phones to articulate; give at least one, SIL for silence")
    sounds = sounds_of(phones) or [(VISEMES.index(SILENCE), phones[0].begin, phones[-1].end)]
    visemes, begins, ends = (np.array(column) for column in zip(*sounds, strict=True))
    moved = np.zeros((len(frame_times), table.neutral.size), np.float32)
    for first in range(0, len(frame_times), _BLOCK):
        times = np.asarray(frame_times[first : first + _BLOCK], np.float64)
        is_near = (ends > times[0] - _REACH_SECONDS) & (begins < times[-1] + _REACH_SECONDS)
        is_near |= ~is_near.any()  # far from all phones, only the nearest counts
        near = torch.from_numpy(visemes[is_near])
        weights = shares(
            table.dominance,
            manner_indices()[near],
            torch.from_numpy(begins[is_near]),
            torch.from_numpy(ends[is_near]),
            torch.from_numpy(times),
        ).numpy()
        targets = table.targets.reshape(len(VISEMES), -1)[near.numpy()]
        for weight, coordinates in zip(weights, GROUPS.values(), strict=True):
            columns = list(coordinates)
            moved[first : first + _BLOCK, columns] = weight @ targets[:, columns]
    return keep_lips_apart(moved.reshape(-1, *table.neutral.shape), table.neutral)


def keep_lips_apart(displacements: NDArray[np.float32], neutral: NDArray[np.float32]) -> NDArray[np.float32]:
    """Displacements (T, 68, 2) in which lips that would pass each other meet halfway."""
    kept = displacements.copy()
    for upper, lower in INNER_LIP_PAIRS:
        overlap = (neutral[upper, 1] + kept[:, upper, 1]) - (neutral[lower, 1] + kept[:, lower, 1])
        half = np.maximum(overlap, 0.0) / 2
        kept[:, upper, 1] -= half
        kept[:, lower, 1] += half
    return kept
