"""Reads the landmarks of an animation that were written by `animate`, and perhaps changed by somebody since."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from backend_server.export.json_curves import FORMAT
from shared.errors import MessageError, ValueRangeError
from shared.landmarks import NAMES, POINT_COUNT
from shared.render_messages import check_landmarks
from shared.timing import MAX_FPS


@dataclass(frozen=True)
class EditedCurves:
    """Landmarks over time.

    Attributes:
        landmarks: (T, 68, 2) pixels of the face crop.
        frame_rate: frames per second; None where the file does not tell.
        begin_seconds: time of the first frame in the sound.
    """

    landmarks: NDArray[np.float32]
    frame_rate: Fraction | None
    begin_seconds: float

    def part(self, first: int, last: int | None) -> EditedCurves:
        """The frames from `first` to `last`, both counted from 1 and included; None: to the end.

        Raises:
            ValueRangeError: there are no such frames.
        """
        count = len(self.landmarks)
        end = count if last is None else last
        if not 1 <= first <= end <= count:
            raise ValueRangeError(f"frames {first} to {end} are not all there; choose some from 1 to {count}")
        later = float((first - 1) / self.frame_rate) if self.frame_rate else 0.0
        return EditedCurves(self.landmarks[first - 1 : end], self.frame_rate, self.begin_seconds + later)


class _Curve(msgspec.Struct, frozen=True):
    x: list[float]
    y: list[float]


class _Document(msgspec.Struct, frozen=True):
    format: str
    curves: dict[str, _Curve]
    frame_rate: Annotated[tuple[int, int], Meta(description="numerator and denominator")] = (0, 0)
    frame_times: list[float] = []


def read_curves(path: Path) -> EditedCurves:
    """Reads `curves.json`, or `landmarks.npz`, of which only `landmarks` must be there.

    Raises:
        ValueRangeError: the file cannot be read, has other curves, or they are no face.
    """
    try:
        curves = _from_json(path) if path.suffix.lower() == ".json" else _from_arrays(path)
    except OSError as error:
        raise ValueRangeError(f"the curves {path} cannot be read: {error.strerror or error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        reason = f"there is no array {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise ValueRangeError(
            f"{path} holds no landmark curves ({reason}); give curves.json or landmarks.npz as animate writes them"
        ) from error
    try:
        check_landmarks(curves.landmarks)
    except MessageError as error:
        raise ValueRangeError(f"{path}: {error.sentence}") from error
    return curves


def _from_json(path: Path) -> EditedCurves:
    document = msgspec.json.decode(path.read_bytes(), type=_Document)
    if document.format != FORMAT:
        raise ValueError(f"its format is {document.format!r:.60} and not {FORMAT!r}")
    if missing := [name for name in NAMES if name not in document.curves]:
        raise ValueError(f"the curve {missing[0]} is missing")
    lengths = {len(values) for curve in document.curves.values() for values in (curve.x, curve.y)}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"its curves have {', '.join(map(str, sorted(lengths)))} frames")
    landmarks = np.array([[document.curves[name].x, document.curves[name].y] for name in NAMES], np.float32)
    times = document.frame_times
    return EditedCurves(
        np.ascontiguousarray(landmarks.transpose(2, 0, 1)), _rate(*document.frame_rate), times[0] if times else 0.0
    )


def _from_arrays(path: Path) -> EditedCurves:
    with np.load(path, allow_pickle=False) as arrays:
        landmarks = np.asarray(arrays["landmarks"])
        times = np.asarray(arrays["frame_times"], np.float64) if "frame_times" in arrays else np.zeros(0)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (POINT_COUNT, 2) or not len(landmarks):
        raise ValueError(f"the landmarks have the shape {landmarks.shape} and not (T, {POINT_COUNT}, 2)")
    steps = np.diff(times)
    is_even = len(steps) > 0 and bool((steps > 0).all()) and np.allclose(steps, steps.mean(), rtol=0.01)
    rate = Fraction(1 / float(steps.mean())).limit_denominator(1001) if is_even else None
    return EditedCurves(landmarks.astype(np.float32), rate, float(times[0]) if len(times) else 0.0)


def _rate(numerator: int, denominator: int) -> Fraction | None:
    """The frame rate; None if it is none."""
    if numerator < 1 or denominator < 1 or numerator > MAX_FPS * denominator:
        return None
    return Fraction(numerator, denominator)
