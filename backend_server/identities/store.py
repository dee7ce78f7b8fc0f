"""Keeps the learnt faces on disk, under IDs made from what they were learnt from.

Two files per face: `ID.safetensors` with what was learnt, and `ID.json` with its record and the checksum of the other.
A file that does not match its checksum counts as absent, so the face is learnt again and replaced. The same pictures
and settings give the same ID, so nothing is learnt twice.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import platformdirs
from numpy.typing import NDArray

from backend_server.files import private_folder, sweep_temporaries, temporary_name
from backend_server.identity import (
    ID_DIGITS,
    Identity,
    IdentityRecord,
    checked_name,
    file_id,
    load_identity,
    save_identity,
    write_whole,
)
from shared.errors import ErrorCode, SpeechFaceError, ValueRangeError, WeightsError
from shared.landmarks import POINT_COUNT

DATA_FOLDER_VARIABLE = "SPEECH_FACE_DATA"
SHORT_DIGITS = 12  # of an ID, as shown; enough to tell one user's faces apart
_MOST_NOTES_BYTES = 4 * 1024 * 1024
FEWEST_DIGITS = 6  # of an ID that a user types


def identity_id(
    images: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.float32] | None,
    *,
    epochs: int,
    seed: int,
    weights_version: str,
    chosen: NDArray[np.float32] | None = None,
) -> str:
    """The ID of the face that is learnt from these inputs: their sha256, 64 hexadecimal digits.

    Args:
        images: K pictures (H, W, 3 or 4), in their order.
        landmarks: (K, 68, 2) pixels placed by hand, rows of NaN where they are detected; None if all are.
        epochs: of fine-tuning, as requested.
        seed: of fine-tuning.
        weights_version: of the weights that learning starts from.
        chosen: points (K, 2) on the faces that are meant, rows of NaN for the largest; None if it is for all.
    """
    marks = [
        array for array in (landmarks, chosen) if array is not None and not (array is chosen and _is_all_nan(array))
    ]
    whole = hashlib.sha256(f"speech_face 2 {weights_version} {epochs} {seed}".encode())
    for array in (*images, *marks):
        whole.update(f" {array.dtype.str} {array.shape} ".encode())
        whole.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return whole.hexdigest()


def _is_all_nan(array: NDArray[np.float32]) -> bool:
    return bool(np.isnan(array).all())


def data_folder() -> Path:
    """Where the backend keeps queue, results and learnt faces of this user.

    `SPEECH_FACE_DATA` overrides the usual place of the operating system.
    """
    if override := os.environ.get(DATA_FOLDER_VARIABLE):
        return Path(override).expanduser()
    return platformdirs.user_data_path("speech_face", appauthor=False)


def identity_folder(data: Path) -> Path:
    """Where the learnt faces lie in a data folder."""
    return data / "identities"


class _Seal(msgspec.Struct, frozen=True):
    """A record and the checksum of the file that belongs to it."""

    record: IdentityRecord
    size_bytes: int
    sha256: str


class IdentityStore:
    """The learnt faces of one folder.

    Args:
        folder: of the faces; created when needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> IdentityStore:
        """Creates the folder, which only its owner may read; returns the store.

        Raises:
            ValueRangeError: it cannot be created.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise ValueRangeError(
                f"the folder of learnt faces {self.folder} cannot be created ({error.strerror}); "
                "set SPEECH_FACE_DATA to another data folder"
            ) from error
        return self

    def names(self) -> list[str]:
        """IDs of all faces, also damaged ones, oldest first."""
        paths = [p for p in self.folder.glob("*.*") if re.fullmatch(f"[0-9a-f]{{{ID_DIGITS}}}", p.stem)]
        return list(dict.fromkeys(p.stem for p in sorted(paths, key=lambda path: path.lstat().st_mtime_ns)))

    def record(self, identity: str) -> IdentityRecord | None:
        """The record of a face; None when the face is absent or does not match its checksum."""
        try:
            seal = msgspec.json.decode(_read_notes(self._seal(identity)), type=_Seal)
            status = self.path(identity).stat()
            is_right = seal.record.identity == identity and status.st_size == seal.size_bytes
            if not is_right or not stat.S_ISREG(status.st_mode) or not _has_shapes(seal.record):
                return None
            return seal.record if _digest(self.path(identity), status.st_mtime_ns) == seal.sha256 else None
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return None

    def has(self, identity: str) -> bool:
        """Whether an intact face of that ID is here."""
        return self.record(identity) is not None

    def is_damaged(self, identity: str) -> bool:
        """Whether a face of that ID is here that cannot be used."""
        return (self._seal(identity).exists() or self.path(identity).exists()) and not self.has(identity)

    def save(self, identity: Identity) -> None:
        """Keeps a face; one of the same ID is replaced, and its name stays where the new one has none.

        Raises:
            NoSpaceError: the disk is full.
            ValueRangeError: the folder cannot be created or written.
        """
        self.prepare()
        path = self.path(identity.record.identity)
        if not identity.record.name and (before := self.record(identity.record.identity)) is not None:
            identity = replace(identity, record=msgspec.structs.replace(identity.record, name=before.name))
        save_identity(path, identity)
        seal = _Seal(identity.record, path.stat().st_size, file_id(path))
        write_whole(self._seal(identity.record.identity), msgspec.json.format(msgspec.json.encode(seal)))

    def check(self, identity: str) -> IdentityRecord:
        """The record of a face.

        Raises:
            SpeechFaceError: there is no such face, or its file is damaged.
        """
        record = self.record(identity)
        if record is None:
            raise SpeechFaceError(
                f"the identity {identity[:SHORT_DIGITS]} is not on this backend; adapt the images again",
                code=ErrorCode.UNKNOWN_IDENTITY,
            )
        return record

    def load(self, identity: str) -> Identity:
        """Reads what `save` wrote.

        Raises:
            SpeechFaceError: there is no such face, or its file is damaged.
        """
        record = self.check(identity)
        return replace(load_identity(self.path(identity)), record=record)

    def rename(self, identity: str, name: str) -> IdentityRecord:
        """Gives a face a name, or none if it is empty; returns its new record.

        Raises:
            SpeechFaceError: there is no such face, it is damaged, or the name cannot be shown.
        """
        name = checked_name(name)
        self.check(identity)
        seal = msgspec.json.decode(_read_notes(self._seal(identity)), type=_Seal)
        renamed = msgspec.structs.replace(seal, record=msgspec.structs.replace(seal.record, name=name))
        write_whole(self._seal(identity), msgspec.json.format(msgspec.json.encode(renamed)))
        return renamed.record

    def take_in(self, content: bytes) -> IdentityRecord:
        """Keeps a face from the content of its file; one that is here already, intact, stays as it is.

        Raises:
            SpeechFaceError: it is no face of this version, or it cannot be stored.
        """
        self.prepare()
        place = temporary_name(self.folder / "import")
        sweep_temporaries(self.folder / "import")
        try:
            write_whole(place, content)
            face = load_identity(place)
        except WeightsError as error:
            sentence = error.sentence.replace(str(place), "that was sent")
            raise WeightsError(sentence, code=ErrorCode.BAD_VALUE) from error
        finally:
            place.unlink(missing_ok=True)
        if (known := self.record(face.record.identity)) is not None:
            return known
        self.save(replace(face, record=msgspec.structs.replace(face.record, name=_shown(face.record.name))))
        return self.check(face.record.identity)

    def size_bytes(self, identity: str) -> int:
        """Size of a face's files."""
        paths = (self._seal(identity), self.path(identity))
        return sum(path.stat().st_size for path in paths if path.exists())

    def delete(self, identity: str) -> int:
        """Deletes a face, damaged or not; returns how many bytes that frees."""
        freed = self.size_bytes(identity)
        self._seal(identity).unlink(missing_ok=True)
        self.path(identity).unlink(missing_ok=True)
        return freed

    def resolve(self, prefix: str) -> str:
        """The one ID that begins with these digits.

        Raises:
            ValueRangeError: too few digits, or no face or several begin with them.
        """
        digits = prefix.lower()
        if not re.fullmatch(f"[0-9a-f]{{{FEWEST_DIGITS},{ID_DIGITS}}}", digits):
            raise ValueRangeError(
                f"{prefix!r} is not the ID of a face; give {FEWEST_DIGITS} to {ID_DIGITS} of its hexadecimal digits"
            )
        found = [name for name in self.names() if name.startswith(digits)]
        if not found:
            raise ValueRangeError(f"no learnt face has an ID that begins with {prefix}; run: identities list")
        if len(found) > 1:
            shown = ", ".join(name[:SHORT_DIGITS] for name in found[:3])
            raise ValueRangeError(f"{len(found)} learnt faces begin with {prefix} ({shown}); give more digits")
        return found[0]

    def path(self, identity: str) -> Path:
        """Where the file of a face lies."""
        return self.folder / f"{identity}.safetensors"

    def _seal(self, identity: str) -> Path:
        return self.folder / f"{identity}.json"


def open_store() -> IdentityStore:
    """The learnt faces of this user; the commands and the service keep them in the same place."""
    return IdentityStore(identity_folder(data_folder()))


def open_identity(named: Path) -> Identity:
    """The identity in a file, or the one whose ID begins with these digits.

    Raises:
        SpeechFaceError: there is none, or it is damaged.
    """
    if named.exists() or not re.fullmatch(f"[0-9a-fA-F]{{{FEWEST_DIGITS},}}", str(named)):
        return load_identity(named)
    store = open_store()
    return store.load(store.resolve(str(named)))


def _read_notes(path: Path) -> bytes:
    """The content of a file of notes; what is not a file, such as a pipe without a writer, is not waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(path))
        return file.read(_MOST_NOTES_BYTES)


def _shown(name: str) -> str:
    """A name that came from elsewhere; empty if it cannot be shown."""
    try:
        return checked_name(name)
    except ValueRangeError:
        return ""


def _has_shapes(record: IdentityRecord) -> bool:
    wanted = ((record.neutral, POINT_COUNT, 2), (record.crop, 2, 3))
    return all(len(rows) == count and all(len(row) == width for row in rows) for rows, count, width in wanted)


@lru_cache(maxsize=256)
def _digest(path: Path, modified_ns: int) -> str:
    return file_id(path)
