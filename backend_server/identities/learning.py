"""Finds a face among those that are kept, or learns it and keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from backend_server.face_photo import kept_photo, photo_side
from backend_server.identities.store import SHORT_DIGITS, IdentityStore, identity_id, open_identity
from backend_server.identity import FaceReferences, Identity
from backend_server.progress import EpochWatcher, Progress
from shared.errors import SpeechFaceError
from shared.notes import Note, NoteCode, renamed

if TYPE_CHECKING:  # not imported, so that the service's tests can load a light one
    from backend_server.cascade import Cascade


@dataclass(frozen=True)
class FaceSource:
    """What a face is learnt from.

    Attributes:
        images: K pictures (H, W, 3 or 4).
        landmarks: (K, 68, 2) pixels placed by hand, rows of NaN where they are detected; None if all are.
        names: of the picture files; empty if unknown.
        notes: what the user should know of the files, such as those that were left out.
        chosen: points (K, 2) on the faces that are meant, rows of NaN for the largest; None if it is for all.
    """

    images: Sequence[NDArray[np.uint8]]
    landmarks: NDArray[np.float32] | None = None
    names: Sequence[str] = ()
    notes: tuple[Note, ...] = ()
    chosen: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Learning:
    """A face, and whether it was found or learnt.

    Attributes:
        identity: the face.
        is_found: whether it was learnt before.
        sentence: says this in one line for the user.
        error: why it could not be stored; None if it was stored or should not be.
        notes: what the user should know of the pictures and the face.
    """

    identity: Identity
    is_found: bool
    sentence: str
    error: SpeechFaceError | None = None
    notes: tuple[Note, ...] = ()


def open_learnt(cascade: Cascade, named: Path) -> Learning:
    """A face that was learnt before, by its file or the first digits of its ID.

    Raises:
        SpeechFaceError: there is none, or it is damaged.
    """
    identity = open_identity(named)
    version, notes = identity.record.weights_version, identity.record.notes
    if identity.weights and version != cascade.weights_version:
        sentence = (
            f"it was learnt with weights {version}, but the installed ones are {cascade.weights_version}; "
            "adapt the pictures again for the best likeness"
        )
        notes = (Note(NoteCode.OTHER_WEIGHTS, sentence, str(named)), *notes)
    return Learning(identity, True, f"learnt on {identity.record.day_and_time}", notes=notes)


def find_or_learn(
    cascade: Cascade,
    store: IdentityStore | None,
    source: FaceSource,
    *,
    epochs: int,
    seed: int,
    progress: Progress,
    is_repeated: bool = False,
    on_epoch: EpochWatcher = lambda _: None,
    check: Callable[[FaceReferences], None] = lambda _: None,
) -> Learning:
    """The face of these pictures: the one learnt before if nothing has changed, else one that is learnt now and kept.

    Args:
        cascade: has the weights that learning starts from.
        store: where faces are found and kept; None for neither.
        source: pictures and landmarks.
        epochs: of fine-tuning.
        seed: of fine-tuning.
        progress: told of each stage.
        is_repeated: learn even if it was learnt before.
        on_epoch: told of each epoch.
        check: gets the faces before anything is learnt; may refuse them.

    Raises:
        SpeechFaceError: the first thing that is wrong with the pictures.
    """
    version = cascade.weights_version
    name = identity_id(
        source.images, source.landmarks, epochs=epochs, seed=seed, weights_version=version, chosen=source.chosen
    )
    if store is not None and not is_repeated and store.has(name):
        identity = store.load(name)
        check(identity.references)
        identity, of_photo = _with_photo(store, identity, source.images)
        found = f"found, learnt on {identity.record.day_and_time} ({name[:SHORT_DIGITS]})"
        names = dict(zip(identity.record.image_names, source.names, strict=False))
        notes = source.notes + renamed(identity.record.notes, names) + of_photo
        return Learning(identity, True, found, notes=notes)
    was_damaged = store is not None and store.is_damaged(name)
    identity = cascade.adapt(
        source.images,
        source.landmarks,
        epochs=epochs,
        seed=seed,
        progress=progress,
        on_epoch=on_epoch,
        check=check,
        names=source.names,
        chosen=source.chosen,
    )
    notes = source.notes + identity.record.notes
    pixels = photo_side(identity.references)
    record = msgspec.structs.replace(
        identity.record, identity=name, image_names=tuple(source.names), photo_pixels=pixels
    )
    identity = replace(identity, record=record)
    if store is None:
        return Learning(identity, False, "learnt" if epochs else "not learnt, 0 epochs", notes=notes)
    sentence, error = f"learnt and kept ({name[:SHORT_DIGITS]})", None
    try:
        store.save(identity)
    except SpeechFaceError as failure:  # learning took minutes, and its result can still be used
        sentence, error = "learnt", failure
        notes += (Note(NoteCode.NOT_KEPT, f"the learnt face is not kept for the next time: {failure.sentence}"),)
    return Learning(identity, False, sentence + "; the one kept before was damaged" * was_damaged, error, notes)


def _with_photo(
    store: IdentityStore, identity: Identity, images: Sequence[NDArray[np.uint8]]
) -> tuple[Identity, tuple[Note, ...]]:
    """A face with its photo's own pixels, which one learnt by an earlier version gets now, and keeps if it can."""
    if identity.record.photo_pixels is not None:
        return identity, ()
    from backend_server.face.images import flattened  # noqa: PLC0415 (few faces need it)
    from backend_server.face.reference import picture_of  # noqa: PLC0415 (likewise)

    references = identity.references
    picture = flattened(images[picture_of(references, images)])
    references = replace(references, photo=kept_photo(picture, references.crop))
    record = msgspec.structs.replace(identity.record, photo_pixels=photo_side(references))
    identity = replace(identity, references=references, record=record)
    try:
        store.save(identity)
    except SpeechFaceError as failure:  # the face can be used without
        sentence = f"the photo's own pixels are not kept with the face for the next time: {failure.sentence}"
        return identity, (Note(NoteCode.NOT_KEPT, sentence),)
    return identity, ()
