"""Defines the notes: what a user should know of an input or a result although the work goes on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class NoteCode(StrEnum):
    """Names a kind of note; the values never change, and a newer backend may send others."""

    # the pictures
    SKIPPED_FILE = "skipped_file"
    SEVERAL_FACES = "several_faces"
    SEVERAL_PEOPLE = "several_people"
    CUT_FACE = "cut_face"
    TURNED_FACE = "turned_face"
    BLURRED_FACE = "blurred_face"
    HIDDEN_EYES = "hidden_eyes"
    COVERED_MOUTH = "covered_mouth"
    SHUT_EYES = "shut_eyes"
    PARTED_LIPS = "parted_lips"
    MATTE_MISSES_FACE = "matte_misses_face"
    FEW_PIXELS = "few_pixels"
    # the sound
    OTHER_TRACK = "other_track"
    SCALED_SOUND = "scaled_sound"
    DAMAGED_SOUND = "damaged_sound"
    ONE_CHANNEL = "one_channel"
    NO_SPEECH = "no_speech"
    # its transcript
    NO_LETTERS = "no_letters"
    UNKNOWN_LETTERS = "unknown_letters"
    OTHER_TRANSCRIPT = "other_transcript"
    # the face that was learnt, and the result
    OTHER_WEIGHTS = "other_weights"
    NOT_KEPT = "not_kept"
    TRANSPARENT_FACE = "transparent_face"
    LIPS_ELSEWHERE = "lips_elsewhere"


class Note(msgspec.Struct, frozen=True):
    """One thing that a user should know.

    Attributes:
        code: a `NoteCode`, or another word from a newer program.
        sentence: what is so, with its value, and what to do about it.
        about: name of the file; empty for the result as a whole.
    """

    code: Annotated[str, Meta(max_length=64)]
    sentence: Annotated[str, Meta(max_length=2000)]
    about: Annotated[str, Meta(max_length=255)] = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.sentence}" if self.about else self.sentence


Notes = Annotated[tuple[Note, ...], Meta(max_length=256)]


def renamed(notes: tuple[Note, ...], names: Mapping[str, str]) -> tuple[Note, ...]:
    """The same notes about files that are now called otherwise; names that are not in the mapping stay."""
    return tuple(msgspec.structs.replace(note, about=names.get(note.about, note.about)) for note in notes)
