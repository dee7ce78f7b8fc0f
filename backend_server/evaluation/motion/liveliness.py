"""Compares how lively generated faces are with real ones: how fast head, brows, lids and mouth move together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from backend_server.cascade import Cascade
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import Take
from backend_server.evaluation.page.charts import Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.run import Context
from backend_server.liveliness.fitting import STEADY_FRAMES, channels_of
from backend_server.liveliness.movement import CHANNELS, READING, at_times, load_movement
from backend_server.liveliness.prosody import prosody
from backend_server.metrics.frechet import frechet_distance
from backend_server.metrics.landmarks import eye_aspect_ratio
from shared.landmarks import INNER_LIP_PAIRS, LEFT_BROW, RIGHT_BROW

AMOUNTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0)
SHARE = 1 / 3  # of a still head's distance, which the nearest amount shall have at most
_SEEDS = 3
_LEAST_SPEED = 1e-6  # a second; slower channels do not move

Array = NDArray[np.float64]


def run(context: Context) -> Section:
    """A row for each amount of liveliness, a column for each group that is held out, and lines over time."""
    shares: dict[str, dict[float, float]] = {}
    stills: dict[str, float] = {}
    groups = context.held_out
    for number, (name, takes) in enumerate(groups.items()):
        context.progress("liveliness", number, len(groups))
        distances = liveliness_distances(context.cascade, takes)
        stills[name] = distances[0.0]
        shares[name] = {amount: distance / distances[0.0] for amount, distance in distances.items()}
    context.progress("liveliness", len(groups), len(groups))
    rows = tuple(
        (f"liveliness {amount:g}", tuple(shares[name][amount] for name in shares)) for amount in AMOUNTS if amount
    )
    _draw(context, groups)
    return Section(
        "Liveliness",
        (
            "Frechet distance between the velocities of real and generated faces: six of the head's pose, the brows, "
            "both lids, height and width of the mouth; each channel in its own real deviation. A still head "
            "(liveliness 0) blinks and speaks all the same; the rows are shares of its distance. People move more or "
            "less, so the amount that comes nearest differs.",
        ),
        (
            Table("Liveliness, share of a still head's distance", tuple(shares), rows),
            Table("A still head's distance", tuple(stills), (("liveliness 0", tuple(stills.values())),)),
        ),
        (Picture("liveliness.png", "How heads turn: real, and by the amount that comes nearest to readers (0.2)."),),
        tuple(
            Goal(f"liveliness, nearest amount, share of a still head's distance, {name}", SHARE, min(own.values()))
            for name, own in shares.items()
        ),
    )


def liveliness_distances(cascade: Cascade, takes: Sequence[Take]) -> Mapping[float, float]:
    """Frechet distances of velocities by amount; NaN where the real faces do not move.

    Args:
        cascade: that generates.
        takes: whose motion is real.
    """
    real = np.concatenate([_velocities(_real(take)) for take in takes])
    unit = real.std(0)
    moves = unit > _LEAST_SPEED
    if not moves.any():
        return dict.fromkeys(AMOUNTS, float("nan"))
    made = [_Generated.of(cascade, take, seed) for take in takes for seed in range(_SEEDS)]

    def distance(amount: float) -> float:
        velocities = np.concatenate([_velocities(one.channels(amount)) for one in made])
        return frechet_distance(velocities[:, moves] / unit[moves], real[:, moves] / unit[moves])

    return {amount: distance(amount) for amount in AMOUNTS}


@dataclass(frozen=True)
class _Generated:
    """A generated face: the channels of a still head, (T, 11), and what liveliness 1 adds to the first eight."""

    still: Array
    added: Array

    @classmethod
    def of(cls, cascade: Cascade, take: Take, seed: int) -> _Generated:
        motion = cascade.animate(take.waveform, SAMPLE_RATE, take.frame_times, seed=seed)
        drawn = at_times(load_movement().draw(prosody([take.waveform]), seed), take.frame_times)
        brows = np.stack([-motion.canonical[:, part, 1].mean(1) for part in (RIGHT_BROW, LEFT_BROW)], 1)
        still = np.concatenate([motion.head, brows, _face(motion.canonical)], 1, dtype=np.float64)
        return cls(still, drawn)

    def channels(self, amount: float) -> Array:
        """All channels, (T, 11), at an amount of liveliness."""
        moved = self.still.copy()
        moved[:, : len(CHANNELS)] += self.added * load_movement().deviations(amount)
        return moved


def _real(take: Take) -> Array:
    data = take.clip.landmarks()
    moved = channels_of(data.landmarks, data.canonical, data.neutral)
    return np.concatenate([moved, _face(data.canonical)], 1)


def _face(canonical: NDArray[np.floating]) -> Array:
    """How open the eyes are, the height and the width of the mouth, (T, 3)."""
    upper, lower = INNER_LIP_PAIRS[1]
    height = canonical[:, lower, 1] - canonical[:, upper, 1]
    width = canonical[:, 54, 0] - canonical[:, 48, 0]
    return np.stack([eye_aspect_ratio(canonical), height, width], 1, dtype=np.float64)


def _velocities(channels: Array) -> Array:
    return np.diff(gaussian_filter1d(channels, STEADY_FRAMES, axis=0), axis=0) * CORPUS_FRAME_RATE


def _draw(context: Context, groups: Mapping[str, Sequence[Take]]) -> None:
    """Yaw and pitch over the first clip of each group, in degrees."""
    panels = []
    for name, takes in groups.items():
        take = takes[0]
        real = np.degrees(_real(take)[:, :2])
        made = np.degrees(_Generated.of(context.cascade, take, 0).channels(READING)[:, :2])
        seconds = take.frame_times.tolist()
        for place, angle in enumerate(("yaw", "pitch")):
            lines = {
                "generated": dict(zip(seconds, made[:, place].tolist(), strict=True)),
                "real": dict(zip(seconds, (real[:, place] - real[:, place].mean()).tolist(), strict=True)),
            }
            panels.append(Panel(f"{name}, {angle}", "seconds", lines, {}, {}))
    draw_panels(context.folder / "liveliness.png", panels)
