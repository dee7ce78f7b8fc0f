from dataclasses import replace

import msgspec
import numpy as np
import pytest

from backend_server.face_photo import photo_side
from backend_server.identities.learning import FaceSource, find_or_learn
from backend_server.identities.store import IdentityStore, identity_id
from backend_server.identity import encoded_identity
from shared.errors import ImageError, NoSpaceError, WeightsError
from shared.notes import Note, NoteCode

IMAGE = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
SOURCE = FaceSource([IMAGE], names=["me.jpg"])
NAME = identity_id([IMAGE], None, epochs=2, seed=3, weights_version="v1")


@pytest.fixture
def cascade(face):
    class Cascade:
        """Learns at once, and counts."""

        weights_version = "v1"
        learnt = 0

        def adapt(self, images, landmarks, *, epochs, seed, progress, on_epoch, check, names, chosen):
            identity = face(epochs=epochs, seed=seed, image_count=len(images))
            notes = tuple(Note(NoteCode.SEVERAL_FACES, "two faces", name) for name in names)
            identity = replace(identity, record=msgspec.structs.replace(identity.record, notes=notes))
            check(identity.references)
            self.learnt += 1
            return identity

    return Cascade()


def run(cascade, store, source=SOURCE, epochs=2, **settings):
    return find_or_learn(cascade, store, source, epochs=epochs, seed=3, progress=lambda *_: None, **settings)


def test_a_face_is_learnt_once(cascade, store):
    first = run(cascade, store)
    assert not first.is_found and first.error is None
    assert first.sentence == f"learnt and kept ({NAME[:12]})"
    record = first.identity.record
    assert (record.identity, record.image_names, record.epochs, record.seed) == (NAME, ("me.jpg",), 2, 3)
    assert store.record(NAME) == record

    again = run(cascade, store, FaceSource([IMAGE.copy()], names=["you.jpg"]))
    assert again.is_found and again.sentence == f"found, learnt on {record.day_and_time} ({NAME[:12]})"
    assert again.identity.record == record
    assert [note.about for note in first.notes] == ["me.jpg"]
    assert [note.about for note in again.notes] == ["you.jpg"]
    assert cascade.learnt == 1

    assert not run(cascade, store, is_repeated=True).is_found
    run(cascade, store, epochs=1)
    assert cascade.learnt == 3


def without_photo(store):
    """Makes the kept face one that an earlier version learnt."""
    earlier = store.load(NAME)
    references = replace(earlier.references, photo=None)
    record = msgspec.structs.replace(earlier.record, photo_pixels=None)
    store.save(replace(earlier, references=references, record=record))


def test_a_face_of_an_earlier_version_gets_its_photo_without_being_learnt_again(cascade, store):
    run(cascade, store)
    before = store.size_bytes(NAME)
    assert store.record(NAME).photo_pixels == 0  # the cascade keeps none
    without_photo(store)
    assert store.record(NAME).photo_pixels is None
    learning = run(cascade, store)
    assert learning.is_found and cascade.learnt == 1 and learning.identity.record.identity == NAME
    assert photo_side(learning.identity.references) == 384  # 1.5 pixels of the picture for one of the crop
    kept = store.load(NAME)
    assert kept.record.photo_pixels == 384 and photo_side(kept.references) == 384
    assert 5_000 < store.size_bytes(NAME) - before < 200_000
    assert run(cascade, store).identity.record == kept.record


def test_a_face_that_is_carried_elsewhere_keeps_its_photo(cascade, store, tmp_path):
    run(cascade, store)
    without_photo(store)
    face = run(cascade, store).identity
    other = IdentityStore(tmp_path / "other")
    assert other.take_in(encoded_identity(face)) == face.record
    np.testing.assert_array_equal(other.load(NAME).references.photo, face.references.photo)
    damaged = replace(face, references=replace(face.references, photo=face.references.photo[:90]))
    store.delete(NAME)
    with pytest.raises(
        WeightsError, match="the identity that was sent is damaged: the photo of the face cannot be read"
    ):
        store.take_in(encoded_identity(damaged))
    assert store.names() == []


def test_a_photo_that_cannot_be_kept_is_still_of_use(cascade, store, monkeypatch):
    run(cascade, store)
    without_photo(store)

    def full(identity):
        raise NoSpaceError("the disk is full")

    monkeypatch.setattr(store, "save", full)
    learning = run(cascade, store)
    assert photo_side(learning.identity.references) == 384
    assert learning.notes[-1].code == NoteCode.NOT_KEPT
    assert learning.notes[-1].sentence.endswith("for the next time: the disk is full")
    assert store.record(NAME).photo_pixels is None


def test_without_a_store_nothing_is_looked_for_or_kept(cascade, store):
    run(cascade, store)
    learning = run(cascade, None)
    assert cascade.learnt == 2 and not learning.is_found and learning.error is None
    assert learning.identity.record.identity == NAME
    assert run(cascade, None, epochs=0).sentence == "not learnt, 0 epochs"
    assert store.names() == [NAME]


def test_a_damaged_face_is_learnt_again_and_said(cascade, store):
    run(cascade, store)
    store.path(NAME).write_bytes(b"")
    assert run(cascade, store).sentence.endswith("; the one kept before was damaged")
    assert store.has(NAME) and cascade.learnt == 2


def test_what_cannot_be_kept_is_still_of_use(cascade, store, monkeypatch):
    def full(identity):
        raise NoSpaceError("the disk is full")

    monkeypatch.setattr(store, "save", full)
    learning = run(cascade, store)
    assert learning.identity.record.identity == NAME
    assert isinstance(learning.error, NoSpaceError)
    assert learning.sentence == "learnt"  # why it is not kept stands in the note, and once
    assert str(learning.notes[-1]) == "the learnt face is not kept for the next time: the disk is full"


@pytest.mark.parametrize("is_kept", [False, True])
def test_faces_may_be_refused_before_they_are_learnt_or_taken(cascade, store, is_kept):
    if is_kept:
        run(cascade, store)

    def refuse(references):
        raise ImageError(f"{len(references.crops)} faces are refused")

    with pytest.raises(ImageError, match="2 faces are refused"):
        run(cascade, store, check=refuse)
    assert cascade.learnt == is_kept
