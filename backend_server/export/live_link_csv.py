"""Writes and reads blend shapes as Apple's and Epic's Live Link Face records them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.export.timecode import timecode_seconds, timecodes
from shared.arkit import SHAPES
from shared.errors import ShapeError, ValueRangeError
from shared.timing import FrameRate

APP_RATE = FrameRate(60)  # the app counts sixtieths of a second, and so does Unreal's importer, at any frame rate
ROTATIONS = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
_VALUES = (*(name[0].upper() + name[1:] for name in SHAPES), *ROTATIONS)
HEADER = ("Timecode", "BlendshapeCount", *_VALUES)


@dataclass(frozen=True)
class LiveLinkRecording:
    """What a file holds.

    Attributes:
        times: seconds (T,) since midnight, as the timecode says.
        weights: of `shared.arkit.SHAPES`, (T, 52), 0 to 1.
        rotations: of `ROTATIONS`, (T, 9), radians.
    """

    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    rotations: NDArray[np.float32]


def write_live_link_csv(
    path: Path,
    frame_times: NDArray[np.float64],
    weights: NDArray[np.float32],
    counted_at: FrameRate = APP_RATE,
    rotations: NDArray[np.float32] | None = None,
) -> None:
    """Writes one line a frame: timecode, the number of values, 52 weights and nine angles.

    Args:
        path: the file to write.
        frame_times: (T,) seconds, at least 0.
        weights: of `shared.arkit.SHAPES`, (T, 52), 0 to 1.
        counted_at: the frames that the timecode counts. Unreal reads sixtieths of a second, whatever the frame rate of
            the lines; editors read the scene's own frames.
        rotations: of `ROTATIONS`, (T, 9), radians; None where head and eyes do not turn.

    Raises:
        ShapeError: the arrays do not fit together.
        ValueRangeError: times below 0, or a frame rate without timecode.
    """
    turned = np.zeros((len(frame_times), len(ROTATIONS)), np.float32) if rotations is None else rotations
    for name, values, width in (("weights", weights, len(SHAPES)), ("rotations", turned, len(ROTATIONS))):
        if values.shape != (len(frame_times), width):
            raise ShapeError(f"expected {name} of shape {(len(frame_times), width)}, got {values.shape}")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(HEADER) + "\n")
        for text, shapes, angles in zip(timecodes(frame_times, counted_at), weights, turned, strict=True):
            numbers = ",".join(f"{value:.8f}" for value in (*shapes, *angles))
            file.write(f"{text},{len(_VALUES)},{numbers}\n")


def live_link_rotations(head: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """The rotations (T, 9) of a head turned by poses (T, 6), as `shared.head.POSE`; None for None.

    ARKit turns faces in a right-handed space with y up and z towards the viewer; ours has y down and z away.
    """
    if head is None:
        return None
    rotations = np.zeros((len(head), len(ROTATIONS)), np.float32)
    rotations[:, :3] = head[:, :3] * (-1, 1, -1)
    return rotations


def read_live_link_csv(path: Path, counted_at: FrameRate = APP_RATE) -> LiveLinkRecording:
    """Reads such a file, also one of the app itself; columns may stand in any order and spelling of capitals.

    Raises:
        ValueRangeError: it is no such file; the sentence names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except UnicodeDecodeError as error:
        raise ValueRangeError(f"{path.name} is not UTF-8 text; export the recording as CSV again") from error
    except OSError as error:
        raise ValueRangeError(f"{path} cannot be read: {error.strerror}; give a CSV of Live Link Face") from error
    names = [name.strip().lower() for name in lines[0]] if lines else []
    missing = [name for name in HEADER if name.lower() not in names]
    if missing:
        raise ValueRangeError(f"{path.name} has no column {missing[0]} in its first line; give a CSV of Live Link Face")
    places = [names.index(name.lower()) for name in HEADER]
    texts, rows = [], []
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        if len(line) != len(names):
            raise ValueRangeError(
                f"line {number} of {path.name} has {len(line)} values, and the first line names {len(names)}; "
                "export the recording again"
            )
        texts.append(line[places[0]].strip())
        rows.append([_number(line[place], number, path) for place in places[2:]])
    values = np.array(rows, np.float32).reshape(-1, len(_VALUES))
    shapes, angles = values[:, : len(SHAPES)], values[:, len(SHAPES) :]
    return LiveLinkRecording(timecode_seconds(texts, counted_at), shapes, angles)


def _number(text: str, number: int, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise ValueRangeError(f'line {number} of {path.name} has "{text}" for a number; export the recording again')
    return value
