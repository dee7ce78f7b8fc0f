# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportArgumentType=false
"""Remembers in an action what a bake has written into it, and tells from that what an artist has changed since.

The whole motion is remembered, also where it has no keys, so that a bake can be shaped anew later. A key is still ours
if its type, frame, value and interpolation are as they were written; of Bezier keys, the handles too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import words
from ..slices import Slices
from . import key_fields
from .key_fields import Keys
from .key_shapes import Interpolation

BAKES = "speech_face_bakes"  # property of an action: name of the bake -> see `begin` and `remember`
LAYER = "speech_face_layer"  # property of an action that lies above an earlier one
PUSHED = "speech_face_pushed"  # property of an action: names of tracks to which it sent what was active before
_MOST = 0.9  # of the keys move as one when a bake was moved
_NEAR = 1e-2  # frames
Path = tuple[str, int]  # data path and index of a curve


@dataclass(frozen=True)
class Movement:
    """All keys of a bake, moved in time together: frame * scale + offset.

    Attributes:
        scale: 1 where they are only shifted.
        offset: frames.
    """

    scale: float
    offset: float

    @property
    def sentence(self) -> str:
        """What was done with the keys."""
        if self.scale == 1:
            return words.fill("moved by {0:+.4g} frames", self.offset)
        return words.fill("scaled in time by {0:.3g}", self.scale)

    def is_shift_by(self, frames: int) -> bool:
        """Whether the keys lie so many frames later."""
        return self.scale == 1 and abs(self.offset - frames) <= _NEAR

    def of(self, first: int, last: int) -> tuple[int, int]:
        """Where a range of frames lies now, in whole frames around it."""
        return math.floor(first * self.scale + self.offset), math.ceil(last * self.scale + self.offset)


@dataclass(frozen=True)
class Bake:
    """What a bake has written.

    Attributes:
        first: scene frame of the motion's first.
        count: frames T.
        values: f32 (T,) for each curve.
        is_key: bool (T,) for each curve, where the bake has a key.
        before: what the properties were before a curve moved them.
        strays: values of keys of earlier bakes that an artist has moved, and that were kept.
        interpolation: after every key.
    """

    first: int
    count: int
    values: Mapping[Path, NDArray[np.float32]]
    is_key: Mapping[Path, NDArray[np.bool_]]
    before: Mapping[Path, float]
    strays: Mapping[Path, NDArray[np.float32]]
    interpolation: Interpolation

    @property
    def range(self) -> tuple[int, int]:
        """First and last frame."""
        return self.first, self.first + self.count - 1

    def moved(self, offset: int) -> Bake:
        """The same bake, so many frames later."""
        return replace(self, first=self.first + offset)

    def keys(self, path: Path) -> NDArray[np.float32]:
        """Frames and values (K, 2) of a curve's keys as they were written."""
        if path not in self.values:
            return np.empty((0, 2), np.float32)
        at = np.flatnonzero(self.is_key[path])
        return np.stack([(at + self.first).astype(np.float32), self.values[path][at]], axis=1)

    def ends(self, path: Path) -> tuple[int, int]:
        """Frames of a curve's first and last key as they were written; (0, 0) without any."""
        at = np.flatnonzero(self.is_key.get(path, np.zeros(0, bool)))
        return (int(at[0]) + self.first, int(at[-1]) + self.first) if len(at) else (0, 0)

    def holds(self, path: Path, keys: Keys) -> NDArray[np.bool_]:
        """Which keys of a curve are still as they were written."""
        frames, values = keys["co"].T
        held = np.zeros(len(frames), bool)
        if path not in self.values:
            return held
        index = np.round(frames).astype(np.int64) - self.first
        near = np.clip(index, 0, self.count - 1)
        held = (index == near) & (frames == np.round(frames))
        held &= self.is_key[path][near] & (self.values[path][near] == values)
        held &= keys["type"] == key_fields.enum("type", "GENERATED")
        held &= keys["interpolation"] == key_fields.enum("interpolation", self.interpolation.value)
        if self.interpolation is Interpolation.BEZIER and held.any():
            at = index[held]
            keyed = np.flatnonzero(self.is_key[path])
            written = np.hstack(key_fields.handles(self.first, self.values[path], at, keyed))
            there = np.hstack([keys["handle_left"][held], keys["handle_right"][held]])
            held[held] = np.all(np.abs(there - written) <= 1e-3 + 1e-5 * np.abs(written), axis=1)
        return held


def owns(action: bpy.types.Action | None) -> bool:
    """Whether a bake has written into an action."""
    return action is not None and BAKES in action


def remembered(action: bpy.types.Action, fallback: Sequence[Path] = ()) -> dict[str, Bake]:
    """The bakes of an action. Those of the first releases do not name their curves, which were the fallback."""
    return {name: _bake(stored, fallback) for name, stored in action[BAKES].items()}


def _bake(stored: bpy.types.PropertyGroup, fallback: Sequence[Path]) -> Bake:
    named = [line.rpartition("[") for line in stored["curves"].split("\n") if line] if "curves" in stored else []
    paths = [(path, int(index[:-1])) for path, _, index in named] or list(fallback)
    if "count" not in stored:  # until 0.1: one array (T, C), a key everywhere
        together = np.array(stored["values"], np.float32).reshape(-1, max(len(paths), 1))
        columns = {path: np.ascontiguousarray(together[:, column]) for column, path in enumerate(paths)}
        full = np.ones(len(together), bool)
        keyed = dict.fromkeys(columns, full)
        return Bake(int(stored["first"]), len(together), columns, keyed, {}, {}, Interpolation.LINEAR)
    count = int(stored["count"])
    full = np.ones(count, bool)
    values, keyed, before, strays = {}, {}, {}, {}
    for number, path in enumerate(paths):
        name = str(number)
        if name not in stored["values"]:
            continue
        values[path] = np.array(stored["values"][name], np.float32)
        bits = stored["keys"].get(name)
        keyed[path] = full if bits is None else np.unpackbits(np.frombuffer(bits, np.uint8), count=count).astype(bool)
        if name in stored["before"]:
            before[path] = float(stored["before"][name])
        if name in stored["strays"]:
            strays[path] = np.array(stored["strays"][name], np.float32)
    return Bake(int(stored["first"]), count, values, keyed, before, strays, Interpolation(stored["interpolation"]))


def begin(
    action: bpy.types.Action, bake: str, first: int, count: int, paths: Iterable[Path], interpolation: Interpolation
) -> None:
    """Makes room in an action for what a bake writes; `remember` fills it curve by curve."""
    if BAKES not in action:
        action[BAKES] = {}
    text = "\n".join(f"{path}[{index}]" for path, index in paths)
    action[BAKES][bake] = {
        **{"first": first, "count": count, "curves": text, "interpolation": interpolation.value},
        **{"values": {}, "keys": {}, "before": {}, "strays": {}},
    }


def remember(
    action: bpy.types.Action,
    bake: str,
    number: int,
    values: NDArray[np.float32],
    is_key: NDArray[np.bool_],
    before: float | None,
    strays: NDArray[np.float32],
) -> None:
    """Notes the motion of the curve that stands at this number in `begin`, where it has keys, and more; see `Bake`."""
    stored, name = action[BAKES][bake], str(number)
    stored["values"][name] = np.ascontiguousarray(values, np.float32)
    if not is_key.all():
        stored["keys"][name] = np.packbits(is_key).tobytes()
    if before is not None:
        stored["before"][name] = before
    if len(strays):
        stored["strays"][name] = np.ascontiguousarray(strays, np.float32)


def store(action: bpy.types.Action, name: str, bake: Bake) -> None:
    """Writes a whole bake."""
    begin(action, name, bake.first, bake.count, bake.values, bake.interpolation)
    for number, path in enumerate(bake.values):
        strays = bake.strays.get(path, np.empty(0, np.float32))
        remember(action, name, number, bake.values[path], bake.is_key[path], bake.before.get(path), strays)


def without_range(bake: Bake, paths: Iterable[Path], first: int, last: int) -> Bake:
    """The bake without its keys on these frames of these curves, which another bake has replaced."""
    lower, upper = max(first - bake.first, 0), max(last + 1 - bake.first, 0)
    is_key = dict(bake.is_key)
    for path in paths:
        if path in is_key and is_key[path][lower:upper].any():
            is_key[path] = is_key[path].copy()
            is_key[path][lower:upper] = False
    return replace(bake, is_key=is_key)


def movement(bake: Bake, found: Mapping[Path, NDArray[np.float32]]) -> Slices[Movement | None]:
    """How a bake was moved as a whole; None if it lies where it was written, or its keys do not move as one.

    Args:
        bake: as written.
        found: frames and values (K, 2) of each curve's keys of the type "Generated", as they are now.
    """
    candidates: Counter[tuple[float, float]] = Counter()
    compared = 0
    for path, now in found.items():
        first, last = bake.ends(path)
        if len(now) > 1 and last > first:
            scale = float(now[-1, 0] - now[0, 0]) / (last - first)
            compared += 1
            candidates[round(scale, 5), round(float(now[0, 0]) - scale * first, 2)] += 1
    still = -1
    for (scale, offset), votes in candidates.most_common(3):
        is_shift = abs(scale - 1) < 1e-4
        if (is_shift and abs(offset) < _NEAR) or votes < compared / 2:
            continue
        moved = Movement(1.0 if is_shift else scale, offset)
        if still < 0:
            still = yield from _explained(bake, found, Movement(1.0, 0.0))
        explained = yield from _explained(bake, found, moved)
        if explained >= _MOST * sum(map(len, found.values())) and explained > still:  # rest is the same anywhere
            return moved
    return None


def _explained(bake: Bake, found: Mapping[Path, NDArray[np.float32]], moved: Movement) -> Slices[int]:
    """How many of the keys that are there are written ones when moved so; Blender may have put them on whole frames."""
    near = _NEAR if moved.scale == 1.0 else 1.0 + _NEAR
    count = 0
    for path, now in found.items():
        keys = bake.keys(path)
        if not len(keys) or not len(now):
            continue
        frames = keys[:, 0].astype(np.float64) * moved.scale + moved.offset
        place = np.searchsorted(frames, now[:, 0])
        is_explained = np.zeros(len(now), bool)
        for step in (-2, -1, 0, 1):
            other = np.clip(place + step, 0, len(frames) - 1)
            is_explained |= (np.abs(frames[other] - now[:, 0]) <= near) & (keys[other, 1] == now[:, 1])
        count += int(is_explained.sum())
        yield 0.0
    return count
