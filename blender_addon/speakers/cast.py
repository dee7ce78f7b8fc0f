# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportReturnType=false
"""Keeps the characters of a scene: adds and removes them, and finds the strips that they speak.

Strips are no datablocks, so a voice keeps the strip's name and a token that is written on the strip itself: a renamed
strip is found by its token, a copy of it (which has the same token) by its name.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import bpy

from .. import compat
from .._shared import errors
from ..properties import SPEECHFACE_Character, SPEECHFACE_Voice, active_character, scene_settings

_TOKEN = "speech_face"  # custom property of a strip
_FIRST_NAME = "Character"


def add(scene: bpy.types.Scene, name: str = "") -> SPEECHFACE_Character:
    """Adds a character and makes it the active one."""
    kept = scene_settings(scene)
    made = kept.characters.add()
    made.token = secrets.token_hex(8)
    made.name = _free_name(kept, name or _FIRST_NAME)
    kept.active_character = len(kept.characters) - 1
    return made


def active(scene: bpy.types.Scene) -> SPEECHFACE_Character:
    """The active character; the first thing that a user chooses makes one."""
    return active_character(scene) or add(scene)


def remove(scene: bpy.types.Scene) -> None:
    """Removes the active character from the list; what was made for it stays in the scene."""
    kept = scene_settings(scene)
    kept.characters.remove(min(kept.active_character, len(kept.characters) - 1))
    kept.active_character = max(0, min(kept.active_character, len(kept.characters) - 1))


def by_token(scene: bpy.types.Scene, token: str) -> SPEECHFACE_Character | None:
    """The character with this token; None when it was removed."""
    return next((character for character in scene_settings(scene).characters if character.token == token), None)


def strips() -> Iterator[tuple[bpy.types.Scene, bpy.types.SoundStrip]]:
    """Every sound strip of every scene of this file."""
    for scene in bpy.data.scenes:
        yield from ((scene, strip) for strip in compat.sound_strips(scene))


def add_strip(scene: bpy.types.Scene, path: Path, frame: int) -> bpy.types.SoundStrip:
    """Adds a sound file to the sequencer, in the first channel in which it covers no other strip.

    Raises:
        RuntimeError: Blender cannot read the file.
    """
    made = (scene.sequence_editor or scene.sequence_editor_create()).strips
    strip = made.new_sound(path.stem, str(path), channel=1, frame_start=frame)
    first, end = compat.handles(strip)
    others = [(other.channel, *compat.handles(other)) for other in made if other != strip]
    taken = {channel for channel, start, stop in others if start < end and stop > first}
    strip.channel = next(channel for channel in range(1, len(taken) + 2) if channel not in taken)
    return strip


def token_of(strip: bpy.types.SoundStrip) -> str:
    """What tells a strip from others, whatever it is called; empty for one that nobody has spoken, and for a copy.

    Of strips with one token, that which a character speaks is no copy; where none is spoken, the first.
    """
    token = str(strip.get(_TOKEN, ""))
    voices = (voice for scene in bpy.data.scenes for kept in scene_settings(scene).characters for voice in kept.voices)
    spoken_ones = [found[1] for voice in voices if voice.token == token and (found := find(voice)) is not None]
    named = [other for _, other in strips() if other.get(_TOKEN) == token]
    return token if token and strip in (spoken_ones or named[:1]) else ""


def add_voice(
    character: SPEECHFACE_Character, scene: bpy.types.Scene, strip: bpy.types.SoundStrip, token: str = ""
) -> SPEECHFACE_Voice:
    """Makes a strip one that the character speaks, and the active one; one that it speaks already is made active.

    Args:
        character: who speaks.
        scene: whose sequencer has the strip.
        strip: what is spoken.
        token: of a strip that has none.
    """
    for index, voice in enumerate(character.voices):
        if find(voice) == (scene, strip):
            character.active_voice = index
            return voice
    voice = character.voices.add()
    voice.scene, voice.name = scene, strip.name
    if not token_of(strip):
        strip[_TOKEN] = token or secrets.token_hex(8)
    voice.token = strip[_TOKEN]
    character.active_voice = len(character.voices) - 1
    return voice


def find(voice: SPEECHFACE_Voice) -> tuple[bpy.types.Scene, bpy.types.SoundStrip] | None:
    """Where the strip of a voice is now, also after it was renamed or moved to another scene; None if it is gone."""
    found = [(scene, strip) for scene, strip in strips() if strip.get(_TOKEN) == voice.token]
    named = [(scene, strip) for scene, strip in found if (scene, strip.name) == (voice.scene, voice.name)]
    return next(iter([*named, *found]), None)


def voice_of(character: SPEECHFACE_Character, token: str) -> SPEECHFACE_Voice | None:
    """The row of a strip in a character's list."""
    return next((voice for voice in character.voices if voice.token == token), None)


def by_voice(character: SPEECHFACE_Character, token: str) -> tuple[bpy.types.Scene, bpy.types.SoundStrip] | None:
    """Where the strip with a token is now, of several the one in the character's list; None if it is gone."""
    if (voice := voice_of(character, token)) is not None:
        return find(voice)
    return next(((scene, strip) for scene, strip in strips() if strip.get(_TOKEN) == token), None)


def spoken(
    scene: bpy.types.Scene, sequenced: bpy.types.Scene, character: SPEECHFACE_Character
) -> list[tuple[bpy.types.Scene, bpy.types.SoundStrip]]:
    """The strips that Generate takes for a character: those in its list that are ticked.

    Without a list the active sound strip counts, or else the only one.

    Args:
        scene: of the character.
        sequenced: the scene that the sequencer shows.
        character: who speaks.

    Raises:
        SoundError: a strip is gone, or it is not clear which one is meant.
    """
    if not character.voices:
        return [_obvious(scene, sequenced)]
    found = []
    for voice in character.voices:
        if not voice.is_used:
            continue
        if (place := find(voice)) is None:
            raise errors.SoundError(
                f"the sound strip {voice.name!r} is gone; choose another for {character.name!r}, or untick it"
            )
        found.append(place)
    if not found:
        raise errors.SoundError(f"no sound strip of {character.name!r} is ticked; tick one, or add one")
    return found


def _obvious(scene: bpy.types.Scene, sequenced: bpy.types.Scene) -> tuple[bpy.types.Scene, bpy.types.SoundStrip]:
    for place in dict.fromkeys((sequenced, scene)):
        strip = place.sequence_editor.active_strip if place.sequence_editor else None
        if isinstance(strip, bpy.types.SoundStrip):
            return place, strip
    everywhere = list(strips())
    nearby = [(place, strip) for place, strip in everywhere if place in (scene, sequenced)]
    found = nearby or everywhere
    if len(found) == 1:
        return found[0]
    if found:
        raise errors.SoundError(f"there are {len(found)} sound strips; choose the one that is spoken")
    raise errors.SoundError("there is no sound strip; add the speech as a file, or in the Video Sequencer")


def _free_name(kept: bpy.types.PropertyGroup, wanted: str) -> str:
    """The name, with a number as Blender gives it where it is taken."""
    taken = {character.name for character in kept.characters}
    numbered = (f"{wanted}.{number:03d}" for number in range(1, len(taken) + 2))
    return next(name for name in (wanted, *numbered) if name not in taken)
