# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Measures what holds up the window while a face is written: `python -m blender_addon bench`.

Each row is a measurement: a name, and numbers with their units. What Blender does by itself stands in rows of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from .coordinates import CropPlane
from .job import JobState
from .keys import key_shapes, keyframes
from .keys.key_shapes import Choice, Interpolation, Shaping
from .keys.keyframes import Manner, Policy, Request
from .orders import Order
from .pictures.incoming_pictures import TICK_SECONDS, IncomingPictures
from .pictures.picture_folder import PictureFolder
from .rigs import landmark_rig
from .slices import Result, Slices
from .speakers import cast


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: what was done.
        seconds: all of it.
        longest: seconds of the longest slice, in which the window waits.
        busy: seconds of `seconds` in which the processor worked for us, which other programs do not lengthen.
        busiest: likewise of the slice with the most.
        note: what else was seen.
    """

    name: str
    seconds: float
    longest: float
    busy: float
    busiest: float
    note: str = ""


def timed(name: str, slices: Slices[Result], note: str = "") -> tuple[Row, Result]:
    """Measures work in slices; also returns its result."""
    taken, busy = [], []
    while True:
        start, busy_start = time.perf_counter(), time.thread_time()
        try:
            next(slices)
            ended = None
        except StopIteration as end:
            ended = end
        taken.append(time.perf_counter() - start)
        busy.append(time.thread_time() - busy_start)
        if ended is not None:
            return Row(name, sum(taken), max(taken), sum(busy), max(busy), note), ended.value


def motion(frame_count: int, curve_count: int) -> NDArray[np.float32]:
    """A motion like that of speech, (T, C): a few waves of syllables and pauses, always the same."""
    random = np.random.default_rng(0)
    time_seconds = np.arange(frame_count)[:, None] / 30
    rates, phases = random.uniform(1, 5, (3, 1, curve_count)), random.uniform(0, 6, (3, 1, curve_count))
    waves = np.sin(2 * np.pi * rates * time_seconds + phases).sum(axis=0)
    loudness = np.clip(np.sin(2 * np.pi * time_seconds / 4) * 2, 0, 1)
    return (0.02 * loudness * waves).astype(np.float32)


def keying(minutes: float = 10.0, fps: int = 30) -> Iterator[Row]:
    """Keying the landmark armature, again, and with few keys."""
    frame_count = round(minutes * 60 * fps)
    scene, frames = bpy.context.scene, np.arange(1, frame_count + 1)
    values = motion(frame_count, 136)
    neutral = np.random.default_rng(1).uniform(25.0, 230.0, (68, 2))
    rig = landmark_rig.create_rig(bpy.context, scene, "Speech Face", neutral, CropPlane(1.0))
    curves = tuple(landmark_rig.curves())

    def request(values: NDArray | key_shapes.KeyShape, policy: Policy) -> Slices:
        return keyframes.write_steps([Request(rig, "Voice", frames, curves, values, manner=Manner(policy))])

    size = f"{len(curves)} curves x {frame_count} frames"
    yield timed("key", request(values, Policy.KEEP), size)[0]
    yield _blender("Blender takes the keys over", bpy.context.view_layer.update)
    for policy in (Policy.KEEP, Policy.REPLACE):
        row = timed(f"key again, {policy.value.lower()}", request(values, policy), size)[0]
        yield row
    for interpolation in (Interpolation.LINEAR, Interpolation.BEZIER):
        shaping = Shaping(Choice.SIMPLIFY, bound=0.001, interpolation=interpolation)
        row, shape = timed(f"simplify to 1 mm, {interpolation.value.lower()}", key_shapes.shape_steps(values, shaping))
        yield replace(row, note=f"{shape.is_key.mean():.1%} of the keys stay")
        yield timed("key these", request(shape, Policy.REPLACE), size)[0]
    yield _blender("Blender takes the keys over", bpy.context.view_layer.update)


class _Arrivals:
    """What a job does for its pictures: each step brings as many as a fast backend renders meanwhile."""

    error = None
    _A_STEP = 4

    def __init__(self, take: Callable[[NDArray[np.uint8]], None], pictures: Iterator[NDArray[np.uint8]]) -> None:
        self._take, self._pictures = take, pictures
        self.state = JobState.DRAWING

    @property
    def is_over(self) -> bool:
        return self.state is JobState.DONE

    def tick(self) -> None:
        for _ in range(self._A_STEP):
            if (picture := next(self._pictures, None)) is None:
                self.state = JobState.DONE
                return
            self._take(picture[None])


def _faces(count: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures (256, 256, 4) that pack like faces: a soft light, a grain of two steps, and half of them clear."""
    random = np.random.default_rng(2)
    rows, columns = np.mgrid[-1:1:256j, -1:1:256j]
    is_inside = rows**2 + columns**2 < 0.64
    for number in range(count):
        light = 120 + 80 * np.cos(2 * rows + 0.05 * number) * np.cos(2 * columns)
        picture = np.repeat(light[..., None], 4, axis=2) + random.integers(-2, 3, (256, 256, 4))
        picture[..., 3] = 255
        yield (picture * is_inside[..., None]).astype(np.uint8)


def pictures(minutes: float = 10.0, fps: int = 30) -> Iterator[Row]:
    """Pictures that come from the backend are written to disk, as in the steps of a window."""
    count = max(1, min(round(minutes * 60 * fps), 900))
    scene = bpy.context.scene
    character = cast.active(scene)
    order = Order(scene.session_uid, character.token, character.name, "", "Voice")
    with tempfile.TemporaryDirectory() as folder:
        incoming = IncomingPictures(PictureFolder(Path(folder), "face"), order, range(1, count + 1), 1.0)
        job = _Arrivals(incoming.take, iter(list(_faces(count))))

        def steps() -> Slices[None]:
            while not incoming.is_over(job):
                incoming.carry_on(job, TICK_SECONDS)
                yield 0.0

        yield timed("pictures arriving", steps(), f"{count} of 256 x 256, {TICK_SECONDS * 1000:.0f} ms a step")[0]
        incoming.discard()


def _blender(name: str, function: Callable[[], object]) -> Row:
    def once() -> Slices[None]:
        function()
        yield 1.0

    return timed(name, once(), "no part of the add-on")[0]


ROWS = (keying, pictures)  # functions from minutes of speech to rows


def main(arguments: list[str]) -> int:
    """Reads the command line of `bench`, prints the table, and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m blender_addon bench", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of speech, at 30 frames a second")
    given = parser.parse_args(arguments)
    sys.stdout.write(f"Blender {bpy.app.version_string}\n{'':34}{'total':>10}{'busy':>10}{'longest':>12}{'busy':>10}\n")
    for function in ROWS:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        for row in function(given.minutes):
            numbers = f"{row.seconds:8.2f} s{row.busy:8.2f} s{row.longest * 1000:9.0f} ms{row.busiest * 1000:7.0f} ms"
            sys.stdout.write(f"{row.name:34}{numbers}   {row.note}\n".rstrip() + "\n")
            sys.stdout.flush()
    return 0
