# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads what is heard in a sound strip, and on which scene frames.

The visible part of a strip, also of a packed sound, comes from `sound_file` as mono at 16 kHz, together with the time
within it of every scene frame that the strip covers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat
from ._shared import errors, notes, protocol, timing
from .sound_file import SoundFile, is_audible


@dataclass(frozen=True)
class StripSpeech:
    """The visible part of a strip.

    Attributes:
        samples: f32 (S,), mono at `SAMPLE_RATE`, beyond [-1, 1] where the file is.
        frame_times: f64 (T,) seconds within `samples`; may begin below 0 and end after the last sample.
        scene_frames: int64 (T,) whole scene frames, ascending by one.
        sound_name: of the strip's file.
        notes: what the user should know of the sound.
    """

    samples: NDArray[np.float32]
    frame_times: NDArray[np.float64]
    scene_frames: NDArray[np.int64]
    sound_name: str
    notes: tuple[notes.Note, ...]


def frame_rate(scene: bpy.types.Scene) -> timing.FrameRate:
    """The scene's frame rate."""
    return timing.FrameRate(scene.render.fps, scene.render.fps_base)


def find(scene: bpy.types.Scene, name: str) -> bpy.types.SoundStrip:
    """The sound strip of that name; without a name the active one, or the only one.

    Raises:
        SoundError: there is no such strip.
    """
    strips = list(compat.sound_strips(scene))
    if name:
        for strip in strips:
            if strip.name == name:
                return strip
        raise errors.SoundError(f"the sound strip {name} is not in scene {scene.name} any more; choose another")
    active = scene.sequence_editor.active_strip if scene.sequence_editor else None
    if isinstance(active, bpy.types.SoundStrip):
        return active
    if len(strips) == 1:
        return strips[0]
    if strips:
        raise errors.SoundError(f"scene {scene.name} has {len(strips)} sound strips; choose one")
    raise errors.SoundError(f"scene {scene.name} has no sound strip; add the speech in the Video Sequencer")


def placement(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> timing.StripPlacement:
    """Where a strip lies in its scene.

    Raises:
        SoundError: the strip is retimed unevenly.
    """
    left, right = compat.handles(strip)
    start = compat.content_start(strip) - compat.content_trim(strip)
    return timing.StripPlacement(start, left, right, strip.sound_offset, _speed(scene, strip))


def _speed(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> float:
    """How much faster than recorded a strip plays.

    A retiming key tells its scene frame but not which frame of the sound it holds; only for the first and the last
    is that known: the sound's own first and last.
    """
    keys = [key.timeline_frame for key in strip.retiming_keys]
    if not keys:
        return 1.0
    if len(keys) > 2 or keys[-1] <= keys[0]:
        raise errors.SoundError(
            f"the sound strip {strip.name} changes its speed midway; set one speed for it, or render it to a sound file"
        )
    frames = max(1, round(float(frame_rate(scene).frames(_sound_seconds(strip)))))  # as Blender counts them
    return frames / (keys[-1] - keys[0])


def _sound_seconds(strip: bpy.types.SoundStrip) -> float:
    with _sound_file(strip) as file:
        return file.seconds


def strip_frames(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> timing.StripFrames:
    """The scene frames that a strip covers and the time within its sound at each.

    Raises:
        SoundError: the strip is retimed unevenly, or longer than the backend takes.
        ValueRangeError: the strip shows no frame.
    """
    frames = timing.strip_frames(frame_rate(scene), placement(scene, strip))
    seconds = float(frames.frame_times[-1] - frames.frame_times[0])
    if seconds > protocol.MAX_STRIP_SECONDS:
        raise errors.SoundError(
            f"the sound strip {strip.name} is {seconds / 60:.0f} minutes long; "
            f"trim or split it to at most {protocol.MAX_STRIP_SECONDS // 60} minutes"
        )
    return frames


def read(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> StripSpeech:
    """The visible part of a strip as sound.

    Raises:
        SoundError: the sound is missing, cannot be decoded, lies outside the strip, or is silent.
        ValueRangeError: the strip shows no frame.
    """
    frames = strip_frames(scene, strip)
    step = float(frame_rate(scene).seconds(1)) * _speed(scene, strip)
    start, end = max(0.0, float(frames.frame_times[0])), float(frames.frame_times[-1]) + step
    with _sound_file(strip) as file:
        hearing = file.hear(start, end)
    if not hearing.samples.size:
        advice = str(hearing.notes[0]) if hearing.notes else "undo its trim or lengthen it"
        raise errors.SoundError(f"the sound strip {strip.name} shows no part of its sound; {advice}")
    if not is_audible(hearing.samples):
        raise errors.SoundError(f"the sound strip {strip.name} is silent between its handles; choose one with speech")
    times = frames.frame_times - start
    return StripSpeech(hearing.samples, times, frames.scene_frames, file.name, hearing.notes)


@contextmanager
def _sound_file(strip: bpy.types.SoundStrip) -> Iterator[SoundFile]:
    """The strip's sound; one that is packed into the .blend is written to a temporary file."""
    sound = strip.sound
    if sound is None:
        raise errors.SoundError(f"the sound strip {strip.name} has no sound; give it a file")
    if sound.packed_file is not None:
        with tempfile.TemporaryDirectory(prefix="speech_face_") as folder:
            path = Path(folder) / ("sound" + Path(sound.filepath).suffix)
            path.write_bytes(sound.packed_file.data)
            yield SoundFile(path, bpy.path.basename(sound.filepath) or sound.name)
        return
    path = Path(bpy.path.abspath(sound.filepath, library=sound.library))
    if not path.is_file():
        raise errors.SoundError(f"the sound file {path} of strip {strip.name} is missing; find or replace it")
    yield SoundFile(path, path.name)
