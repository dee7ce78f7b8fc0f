"""Chooses which frames of a motion get keys, from arrays alone: each one, every n-th, held for 2D, or few and bounded.

A motion is (T, C): T whole frames of C curves. A key always has the motion's own value at its frame, so a motion and
the choice of its keys say all; Blender's evaluation between them is `evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .._shared import errors
from ..slices import Slices, exhaust

_BLOCK = 4  # curves that are smoothed at once
_SPAN = 5_000  # frames that are simplified at once


class Interpolation(StrEnum):
    """How Blender goes from one key to the next; the values are Blender's own."""

    CONSTANT = "CONSTANT"
    LINEAR = "LINEAR"
    BEZIER = "BEZIER"


class Choice(StrEnum):
    """Which frames get keys."""

    EVERY_FRAME = "EVERY_FRAME"
    EVERY_NTH = "EVERY_NTH"
    HOLD = "HOLD"
    SIMPLIFY = "SIMPLIFY"


@dataclass(frozen=True)
class Shaping:
    """What an artist wants to edit afterwards.

    Attributes:
        choice: which frames get keys.
        step: frames, of EVERY_NTH and HOLD; 2 is "on twos".
        bound: of SIMPLIFY: how far the curve may lie from the motion on any whole frame. In the unit of the curves.
        smooth: frames over which the motion is smoothed before; 0 for none.
        interpolation: of EVERY_NTH and SIMPLIFY.
    """

    choice: Choice = Choice.EVERY_FRAME
    step: int = 2
    bound: float = 0.01
    smooth: float = 0.0
    interpolation: Interpolation = Interpolation.LINEAR


@dataclass(frozen=True)
class KeyShape:
    """A motion with the choice of its keys.

    Attributes:
        values: f32 (T, C).
        is_key: bool (T, C).
        interpolation: after every key.
        bound: how far the curve may lie from the values on a whole frame without a key; infinite where nobody cares.
    """

    values: NDArray[np.float32]
    is_key: NDArray[np.bool_]
    interpolation: Interpolation = Interpolation.LINEAR
    bound: float = float("inf")


def every_frame(values: NDArray) -> KeyShape:
    """A key on every frame of values (T, C), linear: without gaps there is nothing to overshoot."""
    return KeyShape(np.asarray(values, np.float32), np.ones(values.shape, bool))


def every_nth(values: NDArray, step: int, interpolation: Interpolation = Interpolation.LINEAR) -> KeyShape:
    """A key on every n-th frame, and on the first and the last."""
    is_key = np.zeros(values.shape, bool)
    is_key[:: _checked(step)] = True
    is_key[-1:] = True
    return KeyShape(np.asarray(values, np.float32), is_key, interpolation)


def hold(values: NDArray, step: int = 2) -> KeyShape:
    """Values that are held for `step` frames, as 2D is drawn; a key only where the held value changes."""
    drawn = np.asarray(values, np.float32)[:: _checked(step)]
    is_key = np.zeros(values.shape, bool)
    is_key[::step] = np.vstack([np.ones((1, drawn.shape[1]), bool), drawn[1:] != drawn[:-1]])[: len(drawn)]
    return KeyShape(np.asarray(values, np.float32), is_key, Interpolation.CONSTANT)


def simplify(values: NDArray, bound: float, interpolation: Interpolation = Interpolation.LINEAR) -> KeyShape:
    """Few keys, with which no whole frame lies further than `bound` from the values (T, C)."""
    return exhaust(shape_steps(values, Shaping(Choice.SIMPLIFY, bound=bound, interpolation=interpolation)))


def shape_steps(values: NDArray, shaping: Shaping) -> Slices[KeyShape]:
    """Smooths values (T, C) and chooses their keys, a few curves a slice.

    Raises:
        ValueRangeError: a number of the shaping lies outside its range.
    """
    values = np.asarray(values, np.float32)
    count = values.shape[1]
    if shaping.smooth:
        values = values.copy()
        for start in range(0, count, _BLOCK):
            values[:, start : start + _BLOCK] = smooth(values[:, start : start + _BLOCK], shaping.smooth)
            yield 0.5 * start / count
    if shaping.choice is Choice.EVERY_FRAME or not len(values):
        return every_frame(values)
    if shaping.choice is Choice.EVERY_NTH:
        return every_nth(values, shaping.step, shaping.interpolation)
    if shaping.choice is Choice.HOLD:
        return hold(values, shaping.step)
    if not shaping.bound >= 0:
        raise errors.ValueRangeError(f"{shaping.bound!r} is no bound of an error; give 0 or more")
    if shaping.interpolation is Interpolation.CONSTANT:
        raise errors.ValueRangeError("constant keys cannot be simplified; hold the values, or choose LINEAR or BEZIER")
    is_key = np.zeros(values.shape, bool)
    last = len(values) - 1
    for column in range(count):
        for start in range(0, max(last, 1), _SPAN):
            end = min(start + _SPAN, last)
            is_key[_few(values[:, column], start, end, shaping.bound, shaping.interpolation), column] = True
            yield 0.5 + 0.5 * column / count
    return KeyShape(values, is_key, shaping.interpolation, shaping.bound)


def smooth(values: NDArray, frames: float) -> NDArray[np.float32]:
    """Values (T, C) under a Gaussian window about `frames` wide; the ends are held, so rest stays rest."""
    if not frames > 0:
        raise errors.ValueRangeError(f"{frames!r} is no width to smooth over; give frames above 0")
    reach = int(np.ceil(1.5 * frames))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (frames / 2)) ** 2)
    window /= window.sum()
    first, last = np.repeat(values[:1], reach, axis=0), np.repeat(values[-1:], reach, axis=0)
    padded = np.vstack([first, values, last]).astype(np.float64)
    columns = [np.convolve(column, window, mode="valid") for column in padded.T]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.asarray(values, np.float32)


def blend(there: NDArray, values: NDArray, influence: float | NDArray) -> NDArray[np.float32]:
    """A mixture of what is there (T, C) and new values (T, C), of which this share, 0 to 1, is new; or (T, 1)."""
    weight = np.asarray(influence, np.float64)
    if weight.min() < 0 or weight.max() > 1:
        raise errors.ValueRangeError(f"the influence is {float(weight.max())!r}; give 0 to 1")
    return (np.asarray(there, np.float64) * (1 - weight) + np.asarray(values, np.float64) * weight).astype(np.float32)


def slopes(values: NDArray) -> NDArray[np.float64]:
    """Rise a frame of a motion (T, ...) at each frame, with which Bezier keys leave in both directions."""
    if len(values) < 2:
        return np.zeros(values.shape)
    rise = np.empty(values.shape)
    rise[1:-1] = values[2:] - values[:-2]
    rise[1:-1] /= 2
    rise[0], rise[-1] = values[1] - values[0], values[-1] - values[-2]
    return rise


def evaluate(shape: KeyShape) -> NDArray[np.float64]:
    """What Blender makes of the keys on every whole frame, (T, C)."""
    made = np.empty(shape.values.shape)
    for column, values in enumerate(shape.values.T):
        keys = np.flatnonzero(shape.is_key[:, column])
        made[:, column] = _between(values.astype(np.float64), keys, slopes(values), shape.interpolation)
    return made


def _between(
    values: NDArray[np.float64], keys: NDArray[np.intp], slope: NDArray[np.float64], interpolation: Interpolation
) -> NDArray[np.float64]:
    """One curve (T,) from its keys."""
    frames = np.arange(len(values))
    if interpolation is Interpolation.LINEAR or len(keys) < 2:
        return np.interp(frames, keys, values[keys])
    segment = np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, len(keys) - 1)
    if interpolation is Interpolation.CONSTANT:
        return values[keys][segment]
    start = keys[np.minimum(segment, len(keys) - 2)]
    end = keys[np.minimum(segment, len(keys) - 2) + 1]
    return _hermite(values, slope, np.clip(frames, keys[0], keys[-1]), start, end, interpolation)


def _hermite(
    values: NDArray[np.float64],
    slope: NDArray[np.float64],
    frames: NDArray[np.intp],
    start: NDArray[np.intp],
    end: NDArray[np.intp],
    interpolation: Interpolation,
) -> NDArray[np.float64]:
    """A curve at frames between the keys at start and end; handles at thirds make Blender's Bezier this cubic."""
    length = (end - start).astype(np.float64)
    t = (frames - start) / length
    if interpolation is Interpolation.LINEAR:
        return values[start] + t * (values[end] - values[start])
    rest = 1 - t
    steep = length * t * rest * (rest * slope[start] - t * slope[end])
    return values[start] * rest**2 * (1 + 2 * t) + values[end] * t**2 * (3 - 2 * t) + steep


def _few(
    column: NDArray[np.float32], first: int, last: int, bound: float, interpolation: Interpolation
) -> NDArray[np.intp]:
    """Frames from first to last of one curve (T,) that need keys: spans are cut where they are furthest off, at once.

    Each frame that is not yet good knows the keys at both ends of its span.
    """
    values, slope = column.astype(np.float64), slopes(column)
    limit = max(bound - 4 * float(np.spacing(np.abs(column).max())), 0.0)  # Blender computes in float32
    keys = [np.array([first, last])]
    frames = np.arange(first + 1, last)
    start, end = np.full(len(frames), first), np.full(len(frames), last)
    while len(frames):
        off = np.abs(_hermite(values, slope, frames, start, end, interpolation) - values[frames])
        runs = np.flatnonzero(np.diff(start, prepend=-1))
        lengths, worst = np.diff(runs, append=len(frames)), np.maximum.reduceat(off, runs)
        is_off = worst > limit
        stays = np.repeat(is_off, lengths)
        frames, start, end, off = frames[stays], start[stays], end[stays], off[stays]
        span = np.repeat(np.arange(is_off.sum()), lengths[is_off])
        furthest = np.flatnonzero(off == worst[is_off][span])
        cuts = frames[furthest[np.unique(span[furthest], return_index=True)[1]]]
        keys.append(cuts)
        cut = cuts[span]
        start, end = np.where(frames > cut, cut, start), np.where(frames < cut, cut, end)
        stays = frames != cut
        frames, start, end = frames[stays], start[stays], end[stays]
    return np.concatenate(keys)


def _checked(step: int) -> int:
    if step < 1:
        raise errors.ValueRangeError(f"{step!r} is no number of frames from key to key; give 1 or more")
    return step
