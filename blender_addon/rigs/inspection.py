# pyright: reportAttributeAccessIssue=false
"""Prints what a character in a .blend can be moved by: `python -m blender_addon rig --blend FILE --object NAME`."""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from pathlib import Path

import bpy

from .._shared import errors
from . import character as characters
from . import rig_table, rigging


def inspect(blend: Path, name: str) -> str:
    """What was found, a line each: kind, confidence, reasons, meshes, channels, and what is skipped and why.

    Raises:
        SpeechFaceError: the file cannot be opened, has no such object, or the object cannot be moved.
    """
    if not blend.is_file():
        raise errors.SpeechFaceError(f"{blend} is no file; give a .blend")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(blend.resolve()), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        reason = str(error).strip().removeprefix("Error: ")
        raise errors.SpeechFaceError(f"{blend} cannot be opened: {reason}") from error
    picked = bpy.data.objects.get(name)
    if picked is None:
        likely = [o.name for o in bpy.data.objects if characters.is_pickable(o)]
        near = get_close_matches(name, likely, 3) or likely[:5]
        there = f"it has {', '.join(near)}" if near else "it has no meshes and no armatures"
        raise errors.SpeechFaceError(f'{blend} has no object "{name}"; {there}')
    return "\n".join(_lines(characters.read(picked)))


def _lines(character: characters.Character) -> list[str]:
    found = rigging.detection_of(character)
    lines = [f"{character.object.name}: {found.kind}, confidence {found.confidence:.2f}"]
    lines += [f"  {reason}" for reason in found.reasons]
    if found.confidence < rigging.LEAST_CONFIDENCE:
        lines.append("  the names say too little: the shape keys are fitted by how they look")
    parts = ", ".join(f"{part.object.name} ({len(part.names)})" for part in character.parts)
    lines.append(f"meshes with shape keys that can be moved: {parts or 'none'}")
    if character.armature is not None:
        lines.append(f"armature: {character.armature.name} ({len(character.bones)} bones)")
    channels = found.mapping.channels if found.mapping is not None else ()
    lines.append(f"channels: {len(channels)}")
    for channel in channels:
        lines.append(f"  {channel.name}: {rig_table.format_sources(channel.sources) or 'what the others leave'}")
    lines.append(f"skipped: {len(character.skipped)}")
    lines += [f"  {item.name}: {item.why}" for item in character.skipped]
    return lines


def main(arguments: list[str]) -> int:
    """Reads the command line, prints, and gives the exit code: 2 with a sentence if there is nothing to show."""
    parser = argparse.ArgumentParser(prog="python -m blender_addon rig", description=__doc__)
    parser.add_argument("--blend", type=Path, required=True, help="a Blender file; it is not changed")
    parser.add_argument("--object", required=True, help="a mesh with shape keys, or an armature")
    given = parser.parse_args(arguments)
    try:
        text = inspect(given.blend, given.object)
    except errors.SpeechFaceError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 2
    sys.stdout.write(f"{text}\n")
    return 0
