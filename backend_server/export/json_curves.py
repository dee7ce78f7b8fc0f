"""Writes curves as JSON for other programs, as `docs/curves.schema.json` describes them.

The number behind the format's name grows when a reader of the earlier one would misread the file; new fields alone
leave it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError
from shared.head import POSE
from shared.landmarks import NAMES

FORMAT = "speech_face.curves/1"
RIG_FORMAT = "speech_face.rig_curves/1"


def write_json_curves(
    path: Path,
    frame_rate: Fraction,
    frame_times: NDArray[np.float64],
    landmarks: NDArray[np.float32],
    neutral: NDArray[np.float32],
    tags: dict[str, str],
    head: NDArray[np.float32] | None = None,
) -> None:
    """Writes one x and one y curve per landmark, named like the bones of the Blender rig.

    Args:
        path: the file to write.
        frame_rate: frames per second.
        frame_times: (T,) seconds.
        landmarks: (T, 68, 2) pixels of the face crop, y down.
        neutral: (68, 2), the pose at rest, same pixels.
        tags: metadata of the file.
        head: how the head is turned, (T, 6), as `shared.head.POSE`; left out where it never is.
    """
    first: dict[str, object] = {
        "format": FORMAT,
        "unit": "pixels of the 256 x 256 face crop, x right, y down",
        **_timing(frame_rate, frame_times, tags),
    }
    if head is not None and head.any():
        first["head"] = {name: _rounded(head[:, place], 5) for place, name in enumerate(POSE)}
    curves = (
        (
            name,
            {
                "neutral": _rounded(neutral[point], 3),
                "x": _rounded(landmarks[:, point, 0], 3),
                "y": _rounded(landmarks[:, point, 1], 3),
            },
        )
        for point, name in enumerate(NAMES)
    )
    _write(path, first, "curves", curves)


def write_rig_curves(
    path: Path,
    frame_rate: Fraction,
    frame_times: NDArray[np.float64],
    rig: str,
    channels: Sequence[str],
    weights: NDArray[np.float32],
    tags: dict[str, str],
) -> None:
    """Writes one curve per channel of a rig, with six digits behind the point.

    Args:
        path: the file to write.
        frame_rate: frames per second.
        frame_times: (T,) seconds.
        rig: what names the channels, for instance "arkit".
        channels: C different names.
        weights: (T, C), in the rig's own unit, 0 to 1 for blend shapes.
        tags: metadata of the file.

    Raises:
        ShapeError: channels, times and weights do not fit together.
    """
    if weights.shape != (len(frame_times), len(set(channels))):
        raise ShapeError(f"expected weights of shape {(len(frame_times), len(set(channels)))}, got {weights.shape}")
    head = {"format": RIG_FORMAT, "rig": rig, **_timing(frame_rate, frame_times, tags)}
    _write(path, head, "channels", ((name, _rounded(weights[:, at], 6)) for at, name in enumerate(channels)))


def _timing(frame_rate: Fraction, frame_times: NDArray[np.float64], tags: dict[str, str]) -> dict[str, object]:
    return {
        "metadata": tags,
        "frame_rate": [frame_rate.numerator, frame_rate.denominator],
        "frame_times": _rounded(frame_times, 6),
    }


def _write(path: Path, head: dict[str, object], name: str, curves: Iterable[tuple[str, object]]) -> None:
    """Writes one curve at a time: as Python numbers all would fill the memory."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{json.dumps(head, ensure_ascii=False)[:-1]}, "{name}": {{')
        for number, (key, curve) in enumerate(curves):
            file.write(f"{', ' if number else ''}{json.dumps(key, ensure_ascii=False)}: {json.dumps(curve)}")
        file.write("}}")


def _rounded(values: NDArray, digits: int) -> list[float]:
    return np.round(values.astype(np.float64), digits).tolist()
