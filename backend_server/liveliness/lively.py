"""Moves a head and its brows for a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.liveliness.movement import at_times, load_movement
from backend_server.liveliness.prosody import prosody
from shared.head import POSE, turned

_BROWS = (slice(0, 5), slice(5, 10))  # of the eye region's points: the right one and the left one

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Lively:
    """How head and brows move.

    Attributes:
        poses: of the head, (T, 6), as `shared.head.POSE`.
        brows: how far the right and the left one are raised, (T, 2), canonical units.
    """

    poses: Array
    brows: Array

    def raise_brows(self, eyes: Array, gain: float) -> None:
        """Adds the brows' motion, times a gain, to displacements of the eye region, (T, 22, 2) canonical units."""
        for side, points in enumerate(_BROWS):
            eyes[:, points, 1] -= gain * self.brows[:, side, None]

    def turn(self, part: slice, landmarks: Array, neutral: Array) -> Array:
        """Landmarks of some frames, turned with the head; see `shared.head.turned`."""
        return turned(landmarks, neutral, self.poses[part])


def lively(blocks: Iterable[Array], frame_times: NDArray[np.float64], seed: int, amount: float) -> Lively | None:
    """The motion of head and brows for the frames of a recording; None where nothing shall move.

    Args:
        blocks: of the waveform, 16 kHz mono; heard only if something moves.
        frame_times: (T,) seconds in it.
        seed: of what chance moves.
        amount: 0 keeps all still, 1 is lively talk.
    """
    if amount == 0:
        return None
    movement = load_movement()
    drawn = at_times(movement.draw(prosody(blocks), seed), frame_times) * movement.deviations(amount)
    return Lively(drawn[:, : len(POSE)].astype(np.float32), drawn[:, len(POSE) :].astype(np.float32))
