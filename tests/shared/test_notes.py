"""Tests the notes and their way over the wire."""

import numpy as np
import pytest

from shared import protocol, wire
from shared.errors import MessageError
from shared.notes import Note, NoteCode, renamed


def test_a_note_names_its_file():
    assert str(Note(NoteCode.CUT_FACE, "the face is cut", "me.jpg")) == "me.jpg: the face is cut"
    assert str(Note(NoteCode.LIPS_ELSEWHERE, "the lips are elsewhere")) == "the lips are elsewhere"


def test_notes_about_renamed_files_name_the_new_ones():
    notes = (Note("a", "s", "old.png"), Note("b", "s", "other.png"), Note("c", "s"))
    assert [note.about for note in renamed(notes, {"old.png": "new.png"})] == ["new.png", "other.png", ""]


def test_notes_travel_also_with_codes_of_a_newer_backend():
    notes = (Note(NoteCode.SEVERAL_FACES, "two faces", "a.png"), Note("of_tomorrow", "a sentence"))
    done = wire.decode(wire.encode(protocol.Done(job="j", notes=notes)))
    assert isinstance(done, protocol.Done)
    assert done.notes == notes


@pytest.mark.parametrize("names", [("a.png",), ("a.png", "b.png", "c.png")])
def test_names_must_belong_to_the_images(names):
    images = (np.zeros((4, 4, 3), np.uint8),) * 2
    with pytest.raises(MessageError, match=f"got {len(names)} names for 2 images"):
        wire.encode(protocol.AdaptRequest(job="j", images=images, names=names))
