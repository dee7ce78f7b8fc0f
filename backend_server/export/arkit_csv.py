"""Writes blend shapes over time as a table for other programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.arkit import SHAPES


def write_arkit_csv(path: Path, frame_times: NDArray[np.float64], weights: NDArray[np.float32]) -> None:
    """Writes one line a frame: its time and its weights, named in the first line, with four digits behind the point.

    Args:
        path: the file to write.
        frame_times: (T,) seconds.
        weights: of `shared.arkit.SHAPES`, (T, 52), 0 to 1.
    """
    write_weights_csv(path, frame_times, SHAPES, weights)


def write_weights_csv(
    path: Path, frame_times: NDArray[np.float64], channels: Sequence[str], weights: NDArray[np.float32]
) -> None:
    """`write_arkit_csv` for the channels of any rig, weights (T, C); a name with commas stands in quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(("time", *channels))
        line = ",".join(["%.4f"] * (1 + len(channels))) + "\n"
        for time, row in zip(frame_times, weights, strict=True):
            file.write(line % (time, *row.tolist()))
