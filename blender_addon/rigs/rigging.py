# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Detects how a chosen character is moved, and keeps that as an editable table in the scene's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from .. import words
from .._shared import detection, errors, mapping_file, presets, rig_mapping
from . import character as characters
from . import face_landmarks, rig_table

if TYPE_CHECKING:
    from .character import Character
    from .rig_properties import SPEECHFACE_Rigging

LEAST_CONFIDENCE = 0.5  # below it a rig is solved, unless the artist decides
_AT_MOUTH = ("jaw", "mouth", "tongue", "cheekPuff")
_HEAD = ("description", "gain", "is_mirrored", "hold_seconds")  # fields of a mapping besides name and channels


def detect(rigging: SPEECHFACE_Rigging) -> None:
    """Reads the chosen character, and fills the table with what its names stand for; says in `problem` why not."""
    rigging.kind, rigging.confidence, rigging.why, rigging.skipped, rigging.problem = "", 0.0, "", "", ""
    rigging.channels.clear()
    if rigging.character is None:
        return
    try:
        character = characters.read(rigging.character)
    except errors.SpeechFaceError as error:
        rigging.problem = error.sentence
        return
    found = detection_of(character)
    rigging.kind, rigging.confidence = found.kind, found.confidence
    rigging.why = "\n".join(found.reasons)
    rigging.skipped = "\n".join(f"{item.name}: {item.why}" for item in character.skipped)
    if found.mapping is not None:
        fill(rigging, found.mapping)


def detection_of(character: Character) -> detection.Detection:
    """What kind of rig a character has by its names."""
    meshes = {part.object.name: part.names for part in character.parts}
    return detection.detect_meshes(meshes, character.bones).detection


def fill(rigging: SPEECHFACE_Rigging, mapping: rig_mapping.RigMapping) -> None:
    """Makes the table that of a mapping."""
    rigging.name = mapping.name
    for field in _HEAD:
        setattr(rigging, field, getattr(mapping, field))
    rigging.channels.clear()
    for channel in mapping.channels:
        rig_table.fill(rigging.channels.add(), channel)
    rigging.active_channel = 0


def mapping_of(rigging: SPEECHFACE_Rigging) -> rig_mapping.RigMapping:
    """The mapping that the table shows.

    Raises:
        ValueRangeError: a value cannot be; the sentence names the channel.
    """
    if not rigging.channels:
        raise errors.ValueRangeError("the table of channels is empty; choose a preset or load a mapping")
    return rig_mapping.RigMapping(
        name=rigging.name or "rig",
        channels=tuple(rig_table.channel_of(row) for row in rigging.channels),
        description=rigging.description,
        gain=round(rigging.gain, 6),
        is_mirrored=rigging.is_mirrored,
        hold_seconds=round(rigging.hold_seconds, 6),
    )


def is_solved(rigging: SPEECHFACE_Rigging) -> bool:
    """Whether weights come from how the shape keys look instead of from their names."""
    is_unsure = not rigging.channels or rigging.confidence < LEAST_CONFIDENCE
    return rigging.method == "SOLVE" or (rigging.method == "AUTO" and is_unsure)


def reason_against(rigging: SPEECHFACE_Rigging) -> str:
    """Why the chosen character cannot be animated, as a sentence; empty if it can. Quick, for panels."""
    if rigging.problem:
        return rigging.problem
    if is_solved(rigging):
        return face_landmarks.problem(rigging)
    try:
        mapping_of(rigging)
    except errors.ValueRangeError as error:
        return error.sentence
    return ""


def check(character: Character, mapping: rig_mapping.RigMapping) -> None:
    """Sees that a mapping moves the mouth of a character.

    Raises:
        SpeechFaceError: none of its channels is there, or those at the mouth move nothing.
    """
    channels = [channel for channel in mapping.channels if not channel.is_muted]
    keyed = [c for c in channels if (c.bone.bone in character.bones if c.bone else c.name in character.names)]
    name = character.object.name
    if not keyed:
        raise errors.SpeechFaceError(
            f"none of the {len(channels)} channels of the mapping {mapping.name} is a shape key or bone of {name} "
            f"that can be moved ({channels[0].name if channels else 'all are muted'}); correct the names in the table, "
            "or reset it to what was detected"
        )
    mouths = [c.name for c in keyed if c.bone is None and _is_at_mouth(c)]
    if mouths and not any(c.bone for c in keyed) and not characters.moving_names(character, mouths):
        raise errors.SpeechFaceError(
            f"the shape keys of {name} move nothing at the mouth ({mouths[0]} leaves every vertex where it is); "
            "sculpt them, or choose other channels"
        )


def _is_at_mouth(channel: rig_mapping.Channel) -> bool:
    return any(source.shape.startswith(_AT_MOUTH) for source in channel.sources)


def choose_preset(rigging: SPEECHFACE_Rigging, name: str) -> None:
    """Makes the table that of a mapping that ships; the detection's reasons no longer count."""
    fill(rigging, presets.open_preset(name))
    rigging.kind, rigging.confidence, rigging.why = name, 1.0, words.fill("chosen by hand")


def load(rigging: SPEECHFACE_Rigging, path: Path) -> None:
    """Makes the table that of a file.

    Raises:
        ValueRangeError: the file is no mapping; the table is as it was.
    """
    fill(rigging, mapping_file.load_mapping(path))
    rigging.kind, rigging.confidence, rigging.why = rigging.name, 1.0, words.fill("loaded from {0}", path.name)


def save(rigging: SPEECHFACE_Rigging, path: Path) -> None:
    """Writes the table into a file.

    Raises:
        ValueRangeError: a value of the table cannot be.
        OSError: the file cannot be written.
    """
    mapping_file.save_mapping(mapping_of(rigging), path)


def text_of(mapping: rig_mapping.RigMapping) -> str:
    """A mapping as one line of JSON, for a request."""
    return json.dumps(json.loads(mapping_file.format_mapping(mapping)), ensure_ascii=False)
