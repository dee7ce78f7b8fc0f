"""Writes blend shapes over time as a table for other programs."""

from __future__ import annotations

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
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(("time", *SHAPES)) + "\n")
        for time, row in zip(frame_times, weights, strict=True):
            file.write(",".join(f"{value:.4f}" for value in (time, *row)) + "\n")
