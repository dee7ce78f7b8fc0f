# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads what is heard in a sound strip, and on which scene frames.

The visible part of a strip, also of a packed sound, comes from Blender's own decoder as mono at 16 kHz, together with
the time within it of every scene frame that the strip covers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import aud
import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat
from ._shared import errors, protocol, timing

SAMPLE_RATE = 16_000  # Hz, what the backend works at
_RESAMPLE_QUALITY = 3  # aud's best
_SILENCE = 1e-4  # peak, -80 dB
_MARGIN_SECONDS = 0.1  # read on both sides of the visible part, for the resampler's edges


@dataclass(frozen=True)
class StripSpeech:
    """The visible part of a strip.

    Attributes:
        samples: f32 (S,) in [-1, 1], mono at `SAMPLE_RATE`.
        frame_times: f64 (T,) seconds within `samples`; may begin below 0 and end after the last sample.
        scene_frames: int64 (T,) whole scene frames, ascending by one.
    """

    samples: NDArray[np.float32]
    frame_times: NDArray[np.float64]
    scene_frames: NDArray[np.int64]


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
    """Length of the whole sound; read once per file, because the panel asks at every redraw."""
    with _sound_file(strip) as path:
        return _file_seconds(path, path.stat().st_mtime_ns, strip.name)


@lru_cache(maxsize=32)
def _file_seconds(path: Path, _modified_ns: int, name: str) -> float:
    try:
        sound = aud.Sound(str(path))  # pyright: ignore[reportCallIssue] (the stubs know no constructor)
        return sound.length / sound.specs[0]
    except aud.error as error:  # pyright: ignore[reportGeneralTypeIssues] (nor that it is an exception)
        raise _unreadable(name, path, error) from error  # pyright: ignore[reportGeneralTypeIssues]


def _unreadable(name: str, path: Path, error: object) -> errors.SoundError:
    return errors.SoundError(
        f"the sound of strip {name} ({path.name}) cannot be read; replace it with a WAV, FLAC, MP3 or OGG file",
        detail=str(error),
    )


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
    samples = np.zeros(0, np.float32)
    if end > 0:
        with _sound_file(strip) as path:
            samples = _decode(path, start, end, strip.name)
    if not samples.size:
        raise errors.SoundError(
            f"the sound strip {strip.name} shows no part of its sound; undo its trim or lengthen it"
        )
    if float(np.abs(samples).max()) < _SILENCE:
        raise errors.SoundError(f"the sound strip {strip.name} is silent between its handles; choose one with speech")
    return StripSpeech(samples, frames.frame_times - start, frames.scene_frames)


@contextmanager
def _sound_file(strip: bpy.types.SoundStrip) -> Iterator[Path]:
    """The strip's sound as a file; one that is packed into the .blend is written to a temporary file."""
    sound = strip.sound
    if sound is None:
        raise errors.SoundError(f"the sound strip {strip.name} has no sound; give it a file")
    if sound.packed_file is not None:
        with tempfile.TemporaryDirectory(prefix="speech_face_") as folder:
            path = Path(folder) / ("sound" + Path(sound.filepath).suffix)
            path.write_bytes(sound.packed_file.data)
            yield path
        return
    path = Path(bpy.path.abspath(sound.filepath, library=sound.library))
    if not path.is_file():
        raise errors.SoundError(f"the sound file {path} of strip {strip.name} is missing; find or replace it")
    yield path


def _decode(path: Path, start: float, end: float, name: str) -> NDArray[np.float32]:
    """Mono samples at `SAMPLE_RATE` from `start` to `end` seconds, fewer where the sound ends earlier."""
    lead = min(start, _MARGIN_SECONDS)
    try:
        whole = aud.Sound(str(path))  # pyright: ignore[reportCallIssue] (the stubs know no constructor)
        part = whole.limit(start - lead, end + _MARGIN_SECONDS) if start > 0 else whole.limit(0, end + _MARGIN_SECONDS)
        # `cache` decodes everything and raises; `data` alone would end Blender on a file that is no sound
        data = part.resample(SAMPLE_RATE, _RESAMPLE_QUALITY).cache().data()  # (S, channels)
    except aud.error as error:  # pyright: ignore[reportGeneralTypeIssues] (nor that it is an exception)
        raise _unreadable(name, path, error) from error  # pyright: ignore[reportGeneralTypeIssues]
    samples = np.asarray(data, np.float32).reshape(len(data), -1).mean(axis=1)  # aud's own mix would add and clip
    first = timing.sample_index(lead, SAMPLE_RATE)
    return np.clip(samples[first : first + timing.sample_index(end - start, SAMPLE_RATE)], -1.0, 1.0)
