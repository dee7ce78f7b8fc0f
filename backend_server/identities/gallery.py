"""Shows the learnt faces to programs: one entry and a small picture each. Reads and writes files, so not in a loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.identities.store import SHORT_DIGITS, IdentityStore
from backend_server.identity import IdentityRecord, first_crop
from shared.errors import SpeechFaceError
from shared.face_messages import MAX_LISTED_FACES, PREVIEW_PIXELS, Faces, LearntFace
from shared.message import MAX_IMAGE_COUNT

_LONGEST_NAME = 255


def list_faces(store: IdentityStore, first: int, weights_version: str | None, parent: str = "") -> Faces:
    """The faces of a store from this place on, as many as one message takes.

    Args:
        store: of the faces.
        first: how many of the oldest are left out.
        weights_version: of the installed weights; None while it is unknown.
        parent: ID of the message that is answered.
    """
    names = store.names()
    return show_faces(store, names[first : first + MAX_LISTED_FACES], len(names), weights_version, parent)


def show_faces(
    store: IdentityStore, identities: list[str], count: int, weights_version: str | None, parent: str = ""
) -> Faces:
    """These faces of a store that has so many in all."""
    faces = tuple(_entry(store, identity, weights_version) for identity in identities)
    previews = [_preview(store, face) for face in faces]
    return Faces(parent=parent, count=count, faces=faces, previews=np.stack(previews) if previews else None)


def _entry(store: IdentityStore, identity: str, weights_version: str | None) -> LearntFace:
    record = store.record(identity)
    if record is None:
        name = identity[:SHORT_DIGITS]
        return LearntFace(identity=identity, name=name, is_damaged=True, size_bytes=store.size_bytes(identity))
    psnr = record.held_out_psnr
    return LearntFace(
        identity=identity,
        name=record.title[:_LONGEST_NAME],
        is_named=bool(record.name),
        learnt_at=record.learnt_at.isoformat(),
        image_count=max(0, record.image_count),
        image_names=tuple(name[:_LONGEST_NAME] for name in record.image_names[:MAX_IMAGE_COUNT]),
        epochs=max(0, record.epochs),
        held_out_psnr=psnr if psnr is not None and np.isfinite(psnr) else None,
        is_outdated=_is_outdated(record, weights_version),
        size_bytes=store.size_bytes(identity),
    )


def _is_outdated(record: IdentityRecord, weights_version: str | None) -> bool | None:
    return None if weights_version is None else record.weights_version != weights_version


def _preview(store: IdentityStore, face: LearntFace) -> NDArray[np.uint8]:
    """The middle of the crop that is animated, u8 (96, 96, 3); grey where there is none."""
    grey = np.full((PREVIEW_PIXELS, PREVIEW_PIXELS, 3), 128, np.uint8)
    if face.is_damaged:
        return grey
    try:
        crop = first_crop(store.path(face.identity))
    except SpeechFaceError:  # deleted or replaced meanwhile
        return grey
    edge = (len(crop) - 2 * PREVIEW_PIXELS) // 2
    middle = crop[edge : edge + 2 * PREVIEW_PIXELS, edge : edge + 2 * PREVIEW_PIXELS].astype(np.uint16)
    four = middle[0::2, 0::2] + middle[0::2, 1::2] + middle[1::2, 0::2] + middle[1::2, 1::2]
    return ((four + 2) // 4).astype(np.uint8)
