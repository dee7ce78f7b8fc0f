"""Writes landmark curves as JSON for other programs."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.landmarks import NAMES

FORMAT = "speech_face.curves/1"


def write_json_curves(
    path: Path,
    frame_rate: Fraction,
    frame_times: NDArray[np.float64],
    landmarks: NDArray[np.float32],
    neutral: NDArray[np.float32],
    tags: dict[str, str],
) -> None:
    """Writes one x and one y curve per landmark, named like the bones of the Blender rig.

    Args:
        path: the file to write.
        frame_rate: frames per second.
        frame_times: (T,) seconds.
        landmarks: (T, 68, 2) pixels of the face crop, y down.
        neutral: (68, 2), the pose at rest, same pixels.
        tags: metadata of the file.
    """
    head = {
        "format": FORMAT,
        "unit": "pixels of the 256 x 256 face crop, x right, y down",
        "metadata": tags,
        "frame_rate": [frame_rate.numerator, frame_rate.denominator],
        "frame_times": np.round(frame_times, 6).tolist(),
    }
    with path.open("w", encoding="utf-8") as file:  # one curve at a time: as Python numbers all would fill the memory
        file.write(json.dumps(head)[:-1] + ', "curves": {')
        for point, name in enumerate(NAMES):
            curve = {
                "neutral": _rounded(neutral[point]),
                "x": _rounded(landmarks[:, point, 0]),
                "y": _rounded(landmarks[:, point, 1]),
            }
            file.write(f"{', ' if point else ''}{json.dumps(name)}: {json.dumps(curve)}")
        file.write("}}")


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return np.round(values.astype(np.float64), 3).tolist()
