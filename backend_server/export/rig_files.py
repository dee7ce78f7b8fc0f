"""Writes the channels of rigs over time, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pathvalidate import sanitize_filename

from backend_server.export.arkit_csv import write_weights_csv
from backend_server.export.json_curves import write_rig_curves
from backend_server.rig.conversion import rig_weights
from shared.rig.mapping import RigMapping


def rig_file(mapping: RigMapping) -> str:
    """The name, without its ending, of the files of a mapping; what no system takes in names of files is left out."""
    return sanitize_filename(f"rig_{mapping.name}", platform="universal")


def write_rig_files(
    folder: Path,
    mappings: Sequence[RigMapping],
    arkit: NDArray[np.float32],
    frame_times: NDArray[np.float64],
    frame_rate: Fraction,
    tags: dict[str, str],
) -> None:
    """Writes `rig_NAME.csv` and `rig_NAME.json` for each mapping.

    Args:
        folder: where.
        mappings: of different `rig_file`s.
        arkit: weights of `shared.arkit.SHAPES`, (T, 52).
        frame_times: (T,) seconds.
        frame_rate: frames per second.
        tags: metadata of the JSON files.
    """
    for mapping in mappings:
        name = rig_file(mapping)
        weights = rig_weights(mapping, arkit, frame_times)
        write_weights_csv(folder / f"{name}.csv", frame_times, [c.name for c in mapping.channels], weights)
        write_rig_json(folder / f"{name}.json", mapping, weights, frame_times, frame_rate, tags)


def write_rig_json(
    path: Path,
    mapping: RigMapping,
    weights: NDArray[np.float32],
    frame_times: NDArray[np.float64],
    frame_rate: Fraction,
    tags: dict[str, str],
) -> None:
    """Writes weights (T, C) of a mapping's channels as JSON: of any rig, and of the preset arkit for `--write json`."""
    channels = [channel.name for channel in mapping.channels]
    write_rig_curves(path, frame_rate, frame_times, mapping.name, channels, weights, tags)
