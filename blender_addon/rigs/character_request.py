# pyright: reportArgumentType=false
"""Reads what a generation needs of the chosen character: its mapping, or its surface where the names say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from .._shared import protocol, rig_mapping
from . import character as characters
from . import face_landmarks, face_surface, rigging

if TYPE_CHECKING:
    from .rig_properties import SPEECHFACE_Rigging


@dataclass(frozen=True)
class CharacterRequest:
    """How a character is asked for; nothing of it without one.

    Attributes:
        mapping: of its channels; None where they are not known before its landmarks are.
        surface: in which the landmarks are to be found; None where they need not be.
        face: what the channels do to landmarks that an artist has corrected.
    """

    mapping: rig_mapping.RigMapping | None = None
    surface: face_surface.Surface | None = None
    face: protocol.RigFace | None = None


def read(context: bpy.types.Context, chosen: SPEECHFACE_Rigging) -> CharacterRequest:
    """Reads the chosen character.

    Raises:
        SpeechFaceError: it cannot be moved, or its meshes are no longer those of the corrected landmarks.
    """
    if chosen.character is None:
        return CharacterRequest()
    character = characters.read(chosen.character)
    if not rigging.is_solved(chosen):
        mapping = rigging.mapping_of(chosen)
        rigging.check(character, mapping)
        return CharacterRequest(mapping)
    surface = face_surface.surface(context, character)
    corrected = face_landmarks.corrected(chosen, character, surface)
    if corrected is None:
        return CharacterRequest(surface=surface)
    mapping, face = face_surface.measure(context, character, chosen, surface, corrected)
    return CharacterRequest(mapping, face=face)
