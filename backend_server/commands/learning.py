"""How does a command come by a learnt face: find it, learn it, or open what the user names?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.commands.placed_landmarks import read_placed_landmarks
from backend_server.face.crop import crop_image
from backend_server.face.images import read_image
from backend_server.face.reference import FaceReferences, prepare_references
from backend_server.identities.naming import SHORT_DIGITS, identity_id
from backend_server.identities.record import IdentityRecord, record_of
from backend_server.identities.store import FEWEST_DIGITS, IdentityStore, open_store
from backend_server.progress import Epoch, EpochWatcher, Progress
from backend_server.texture.identity import Identity, load_identity
from shared.errors import SpeechFaceError


@dataclass(frozen=True)
class FaceSource:
    """What a face is learnt from.

    Attributes:
        images: K pictures (H, W, 3).
        names: of their files.
        landmarks: (K, 68, 2) pixels placed by hand, NaN where they are detected, or None.
    """

    images: list[NDArray[np.uint8]]
    names: list[str]
    landmarks: NDArray[np.float32] | None


@dataclass(frozen=True)
class LearntIdentity:
    """A face and how it was come by.

    Attributes:
        identity: the face.
        record: what is known of it.
        base: number of the picture that is animated.
        is_found: whether it was learnt before.
        sentence: one line about that for the user.
        references: the faces of all pictures; None when nothing had to be learnt.
    """

    identity: Identity
    record: IdentityRecord
    base: int
    is_found: bool
    sentence: str
    references: FaceReferences | None


def read_source(paths: Sequence[Path], landmarks: Path | None) -> FaceSource:
    """Reads pictures and the landmarks placed on them.

    Raises:
        SpeechFaceError: the first that cannot be used.
    """
    images, names = [read_image(path) for path in paths], [path.name for path in paths]
    return FaceSource(images, names, read_placed_landmarks(landmarks, names, images) if landmarks else None)


def find_or_learn(
    cascade: Cascade,
    source: FaceSource,
    *,
    epochs: int,
    seed: int,
    is_anew: bool,
    progress: Progress,
    on_epoch: EpochWatcher = lambda _: None,
    check_base: Callable[[int], None] = lambda _: None,
) -> LearntIdentity:
    """The face of these pictures: the one learnt before if nothing has changed since, or else learnt now and kept.

    Args:
        cascade: whose weights it begins from.
        source: pictures and landmarks.
        epochs: of fine-tuning; of none nothing is kept.
        seed: of fine-tuning.
        is_anew: learn even if it was learnt before.
        progress: told of each stage.
        on_epoch: told of each epoch.
        check_base: told the number of the picture that will be animated, before anything is learnt; may refuse it.

    Raises:
        SpeechFaceError: the first thing that is wrong with the pictures.
    """
    version, store = cascade.weights_version, open_store()
    name = identity_id(source.images, source.landmarks, epochs=epochs, seed=seed, weights_version=version)
    kept = store.kept(name) if epochs and not is_anew else None
    if kept is not None:
        identity = cast("Identity", store.load(name))
        base = picture_of(identity, source.images)
        check_base(base)
        sentence = f"found, learnt on {kept.record.day_and_time} ({name[:SHORT_DIGITS]})"
        return LearntIdentity(identity, kept.record, base, True, sentence, None)
    was_damaged = bool(epochs) and store.is_damaged(name)
    references = prepare_references(source.images, _placed(source.landmarks), progress)
    check_base(references.source)
    psnrs: list[float] = []

    def watch(epoch: Epoch) -> None:
        psnrs.extend([] if epoch.held_out_psnr is None else [epoch.held_out_psnr])
        on_epoch(epoch)

    identity = cascade.fine_tune(references, epochs=epochs, seed=seed, progress=progress, on_epoch=watch)
    record = record_of(
        name,
        identity,
        weights_version=version,
        image_count=len(source.images),
        image_names=source.names,
        seed=seed,
        held_out_psnrs=psnrs,
    )
    sentence = _keep(store, record, identity) if epochs else "not learnt, 0 epochs"
    if was_damaged:
        sentence += "; the one kept before was damaged"
    return LearntIdentity(identity, record, references.source, False, sentence, references)


def open_identity(named: Path) -> Identity:
    """The identity of a file, or of the digits that an id begins with.

    Raises:
        SpeechFaceError: there is none, or it is damaged.
    """
    if named.exists() or not re.fullmatch(f"[0-9a-fA-F]{{{FEWEST_DIGITS},}}", str(named)):
        return load_identity(named)
    store = open_store()
    return cast("Identity", store.load(store.resolve(str(named))))


def picture_of(identity: Identity, images: Sequence[NDArray[np.uint8]]) -> int:
    """Number of the picture that the identity's first face was cut from: the same cut gives the same pixels there."""
    first = identity.reference_images[0].astype(np.int16)
    differences = [np.abs(crop_image(image, identity.crop).astype(np.int16) - first).mean() for image in images]
    return int(np.argmin(differences))


def _keep(store: IdentityStore, record: IdentityRecord, identity: Identity) -> str:
    try:
        store.save(record, identity)
    except SpeechFaceError as error:  # learning took minutes; what it made is still of use
        return f"learnt, but not kept for the next time: {error.sentence}"
    return f"learnt and kept ({record.identity[:SHORT_DIGITS]})"


def _placed(landmarks: NDArray[np.float32] | None) -> list[NDArray[np.float32] | None] | None:
    return None if landmarks is None else [None if np.isnan(points).any() else points for points in landmarks]
