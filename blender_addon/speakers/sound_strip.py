# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads what is heard in a sound strip, and on which scene frames.

The visible part of a strip, also of a packed sound, comes from `sound_file` as mono at 16 kHz, together with the time
within it of every scene frame that the strip covers.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat, words
from .._shared import errors, notes, protocol, timing
from .sound_file import SoundFile, is_audible

_MARK_BYTES = 1 << 16  # of each place that is looked at


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
    """Where a strip lies in its scene; inside meta strips, the part that all of them show.

    Raises:
        SoundError: the strip is retimed unevenly, or a meta strip hides it.
    """
    left, right = compat.handles(strip)
    start = compat.content_start(strip) - compat.content_trim(strip)
    for meta in metas(strip):
        first, end = compat.handles(meta)
        if min(right, end) <= max(left, first):
            raise errors.SoundError(
                f"the meta strip {meta.name!r} shows nothing of the sound strip {strip.name!r}; lengthen or move it"
            )
        left, right = max(left, first), min(right, end)
    return timing.StripPlacement(start, left, right, strip.sound_offset, _speed(scene, strip))


def metas(strip: bpy.types.Strip) -> list[bpy.types.MetaStrip]:
    """The meta strips that a strip is inside of, the innermost first."""
    found = []
    while (meta := (found[-1] if found else strip).parent_meta()) is not None:
        found.append(meta)
    return found


def _speed(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> float:
    """How much faster than recorded a strip plays; its first and last retiming keys hold the sound's first and last."""
    keys = [key.timeline_frame for key in strip.retiming_keys]
    if not keys:
        return 1.0
    if len(keys) > 2 or keys[-1] <= keys[0]:  # of a key in between, Blender tells scripts its frame alone
        raise errors.SoundError(
            f"the sound strip {strip.name!r} has {len(keys)} retiming keys, between which its speed is not known; "
            "keep only the first and the last of them, or render it to a sound file"
        )
    frames = max(1, round(float(frame_rate(scene).frames(_sound_seconds(strip)))))  # as Blender counts them
    return frames / (keys[-1] - keys[0])


def remarks(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> list[str]:
    """Why a strip that moves the face is not heard in its scene, as sentences; none if it is heard."""
    chain = [strip, *metas(strip)]
    muted = next((part for part in chain if part.mute), None)
    if muted is not None:
        if muted == strip:
            return [words.fill("{0!r} is muted: it moves the face, but is not heard", strip.name)]
        return [
            words.fill(
                "{0!r} is muted, as the meta strip {1!r} is: it moves the face, but is not heard",
                strip.name,
                muted.name,
            )
        ]
    for part, outer in zip(chain, [*chain[1:], scene.sequence_editor], strict=True):
        channel = outer.channels[part.channel] if outer is not None and part.channel < len(outer.channels) else None
        if channel is not None and channel.mute:
            return [
                words.fill(
                    "{0!r}, the channel of {1!r}, is muted: it moves the face, but is not heard",
                    channel.name,
                    strip.name,
                )
            ]
    if not strip.volume and not _has_animated_volume(scene, strip):
        return [words.fill("{0!r} has the volume 0: it moves the face, but is not heard", strip.name)]
    return []


def _has_animated_volume(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> bool:
    if scene.animation_data is None or scene.animation_data.action is None:
        return False
    path = f'sequence_editor.strips_all["{bpy.utils.escape_identifier(strip.name)}"].volume'
    bags = (bag for layer in scene.animation_data.action.layers for part in layer.strips for bag in part.channelbags)
    return any(curve.data_path == path for bag in bags for curve in bag.fcurves)


def mark(strip: bpy.types.SoundStrip) -> str | None:
    """Tells the content of a strip's sound from others, wherever the file lies and whatever it is called.

    It is made of the length and of three places of the file, since it is asked for between two pictures.

    Returns:
        None where it cannot be read.
    """
    sound = strip.sound
    if sound is None:
        return None
    if sound.packed_file is not None:
        return _mark_of(io.BytesIO(sound.packed_file.data))
    try:
        with _path(sound).open("rb") as file:
            return _mark_of(file)
    except OSError:
        return None


def _mark_of(file: BinaryIO) -> str:
    size = file.seek(0, io.SEEK_END)
    digest = hashlib.sha256(str(size).encode())
    for place in (0, size // 2, max(0, size - _MARK_BYTES)):
        file.seek(place)
        digest.update(file.read(_MARK_BYTES))
    return digest.hexdigest()


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


def read(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> Generator[float, None, StripSpeech]:
    """The visible part of a strip as sound, in steps; the strip is not looked at after the first.

    Yields:
        How much of it was read, 0 to 1.

    Raises:
        SoundError: the sound is missing, cannot be decoded, lies outside the strip, or is silent.
        ValueRangeError: the strip shows no frame.
    """
    frames = strip_frames(scene, strip)
    name = strip.name
    step = float(frame_rate(scene).seconds(1)) * _speed(scene, strip)
    start, end = max(0.0, float(frames.frame_times[0])), float(frames.frame_times[-1]) + step
    with _sound_file(strip) as file:
        hearing = yield from file.hear(start, end)
    if not hearing.samples.size:
        advice = str(hearing.notes[0]) if hearing.notes else "undo its trim or lengthen it"
        raise errors.SoundError(f"the sound strip {name!r} shows no part of its sound; {advice}")
    if not is_audible(hearing.samples):
        raise errors.SoundError(f"the sound strip {name!r} is silent between its handles; choose one with speech")
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
    path = _path(sound)
    if not path.is_file():
        raise errors.SoundError(f"the sound file {path} of strip {strip.name} is missing; find or replace it")
    yield SoundFile(path, path.name)


def _path(sound: bpy.types.Sound) -> Path:
    return Path(bpy.path.abspath(sound.filepath, library=sound.library))
