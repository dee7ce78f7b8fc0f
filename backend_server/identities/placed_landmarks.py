"""Reads landmarks that were placed by hand on the user's pictures.

Landmarks are one JSON object: a picture's file name, and 68 points [x, y] in pixels of that picture as it is shown,
(0, 0) the centre of its top-left pixel, in the order of the 68-point convention (jaw 0-16, brows 17-26, nose 27-35,
eyes 36-47, mouth 48-67): `{"me.jpg": [[101.5, 220], ...]}`. The detector finds the landmarks of all other pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import POINT_COUNT

_MARGIN = 0.25  # of a side; a face may extend this far outside its picture
_NARROWEST_EYES = 8.0  # pixels between the outer corners; less is not a face


def read_placed_landmarks(
    path: Path, names: Sequence[str], images: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float32] | None:
    """Landmarks (K, 68, 2) of the pictures in their order, NaN where they are detected; None if all are.

    Args:
        path: the JSON file.
        names: K file names of the pictures.
        images: the pictures (H, W, 3).

    Raises:
        ValueRangeError: the file cannot be read, names an unknown or ambiguous picture, or a point is impossible.
        ShapeError: a picture does not have 68 points of two numbers.
    """
    try:
        content = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ValueRangeError(f"the landmarks {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueRangeError(f"the landmarks {path} are not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueRangeError(
            f"the landmarks {path} hold a {type(content).__name__}; "
            'write an object of picture names and 68 points each: {"me.jpg": [[x, y], ...]}'
        )
    placed = np.full((len(images), POINT_COUNT, 2), np.nan, np.float32)
    for name, points in content.items():
        matches = [k for k, other in enumerate(names) if other == name]
        if len(matches) != 1:
            number = f"{len(matches)} pictures have" if matches else "none of the pictures has"
            raise ValueRangeError(
                f"{path} places landmarks on {name!r} and {number} that name; the pictures are {', '.join(names)}"
            )
        placed[matches[0]] = _points(name, points, images[matches[0]].shape)
    return placed if content else None


def _points(name: str, points: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ANN401 (any JSON)
    if not isinstance(points, list) or len(points) != POINT_COUNT:
        got = len(points) if isinstance(points, list) else type(points).__name__
        raise ShapeError(f"expected {POINT_COUNT} points for {name}, got {got}")
    for number, point in enumerate(points):
        if not (isinstance(point, list) and len(point) == 2 and all(type(v) in (int, float) for v in point)):
            raise ShapeError(f"point {number} of {name} is {str(point)[:60]}; write two numbers [x, y]")
    placed = np.array(points, np.float64)
    check_placed(name, placed, shape)
    return placed.astype(np.float32)


def check_placed(name: str, placed: NDArray[np.floating], shape: tuple[int, ...]) -> None:
    """Checks landmarks (68, 2) that were placed on a picture (H, W, ...).

    Raises:
        ValueRangeError: one lies outside of the picture, or they are no face.
    """
    sides = np.array([shape[1], shape[0]])
    outside = ~np.all((placed >= -_MARGIN * sides) & (placed <= (1 + _MARGIN) * sides), axis=1)
    if outside.any():
        number = int(np.argmax(outside))
        x, y = placed[number]
        raise ValueRangeError(
            f"point {number} of {name} lies at ({x:g}, {y:g}), outside its {shape[1]} x {shape[0]} pixels; "
            "give pixels of the picture itself"
        )
    eyes = float(np.linalg.norm(placed[45] - placed[36]))
    if eyes < _NARROWEST_EYES:
        raise ValueRangeError(f"the eyes of {name} (points 36 and 45) are {eyes:.1f} pixels apart; check the order")
