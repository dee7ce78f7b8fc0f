"""Which faces were learnt already, and how are they found again?

Two files a face: what the engine learnt, `ID.safetensors`, and `ID.json` with its record and the checksum of the other.
Whatever does not agree with its checksum counts as absent, so it is learnt again and replaced.
"""

from __future__ import annotations

import errno
import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import msgspec

from backend_server.files import atomic_write
from backend_server.identities.naming import ID_DIGITS, SHORT_DIGITS, data_folder, file_id, identity_folder
from backend_server.identities.record import IdentityRecord, LearntFace
from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError, ValueRangeError

IDENTITY_FILES = "backend_server.texture.identity"
FEWEST_DIGITS = 6  # of an id that a user types


class IdentityFiles(Protocol):
    """The module that knows how an identity lies in a file."""

    def save_identity(self, path: Path, identity: LearntFace) -> None:
        """Writes one file."""
        ...

    def load_identity(self, path: Path) -> LearntFace:
        """Reads one file."""
        ...


class KeptIdentity(msgspec.Struct, frozen=True):
    """A record and the seal of the file that belongs to it."""

    record: IdentityRecord
    size_bytes: int
    sha256: str


class IdentityStore:
    """The learnt faces of one folder.

    Args:
        folder: of the faces; made when it is needed.
        identity_files: name of the module that is `IdentityFiles`; imported when first needed.
    """

    def __init__(self, folder: Path, identity_files: str = IDENTITY_FILES) -> None:
        self.folder = folder
        self._identity_files = identity_files

    def prepare(self) -> IdentityStore:
        """Makes the folder, which only its owner may read; gives the store.

        Raises:
            ValueRangeError: it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ValueRangeError(
                f"the folder of learnt faces {self.folder} cannot be made ({error.strerror}); "
                "choose another data folder with the variable SPEECH_FACE_DATA"
            ) from error
        return self

    def names(self) -> list[str]:
        """Ids of all faces, damaged ones too, oldest first."""
        paths = [p for p in self.folder.glob("*.*") if re.fullmatch(f"[0-9a-f]{{{ID_DIGITS}}}", p.stem)]
        return list(dict.fromkeys(p.stem for p in sorted(paths, key=lambda path: path.stat().st_mtime_ns)))

    def kept(self, identity: str) -> KeptIdentity | None:
        """What is known of a face; None when it is not here or does not agree with its checksum."""
        try:
            kept = msgspec.json.decode(self._notes(identity).read_bytes(), type=KeptIdentity)
            status = self.path(identity).stat()
            if kept.record.identity != identity or status.st_size != kept.size_bytes:
                return None
            return kept if _digest(self.path(identity), status.st_mtime_ns) == kept.sha256 else None
        except (OSError, msgspec.DecodeError):
            return None

    def has(self, identity: str) -> bool:
        """Whether an intact face of that name is here."""
        return self.kept(identity) is not None

    def is_damaged(self, identity: str) -> bool:
        """Whether a face of that name is here that cannot be used."""
        return (self._notes(identity).exists() or self.path(identity).exists()) and not self.has(identity)

    def save(self, record: IdentityRecord, face: LearntFace) -> None:
        """Keeps a face; one of the same name is replaced.

        Raises:
            NoSpaceError: the disk is full.
            ValueRangeError: the folder cannot be made or written.
        """
        self.prepare()
        try:
            self._files().save_identity(self.path(record.identity), face)
            self._seal(record)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpaceError(f"the disk of {self.folder} is full; free some space and try again") from error
            raise ValueRangeError(f"cannot write into {self.folder}: {error.strerror}; mend its permissions") from error

    def load(self, identity: str) -> LearntFace:
        """What `save` kept.

        Raises:
            SpeechFaceError: there is no such face, or its file is damaged.
        """
        if not self.has(identity):
            raise SpeechFaceError(
                f"the identity {identity[:SHORT_DIGITS]} is not on this backend; adapt the images again",
                code=ErrorCode.UNKNOWN_IDENTITY,
            )
        return self._files().load_identity(self.path(identity))

    def size_bytes(self, identity: str) -> int:
        """Of a face's files."""
        paths = (self._notes(identity), self.path(identity))
        return sum(path.stat().st_size for path in paths if path.exists())

    def delete(self, identity: str) -> int:
        """Forgets a face, damaged or not; returns how many bytes that frees."""
        freed = self.size_bytes(identity)
        self._notes(identity).unlink(missing_ok=True)
        self.path(identity).unlink(missing_ok=True)
        return freed

    def resolve(self, prefix: str) -> str:
        """The one id that begins with these digits.

        Raises:
            ValueRangeError: too few digits, or no face or several begin with them.
        """
        digits = prefix.lower()
        if not re.fullmatch(f"[0-9a-f]{{{FEWEST_DIGITS},{ID_DIGITS}}}", digits):
            raise ValueRangeError(
                f"{prefix!r} is no id of a learnt face; give {FEWEST_DIGITS} to {ID_DIGITS} of its hexadecimal digits"
            )
        found = [name for name in self.names() if name.startswith(digits)]
        if not found:
            raise ValueRangeError(f"no learnt face has an id that begins with {prefix}; see: identities list")
        if len(found) > 1:
            shown = ", ".join(name[:SHORT_DIGITS] for name in found[:3])
            raise ValueRangeError(f"{len(found)} learnt faces begin with {prefix} ({shown}); give more digits")
        return found[0]

    def path(self, identity: str) -> Path:
        """Where the engine's part of a face lies."""
        return self.folder / f"{identity}.safetensors"

    def _notes(self, identity: str) -> Path:
        return self.folder / f"{identity}.json"

    def _files(self) -> IdentityFiles:
        return cast("IdentityFiles", import_module(self._identity_files))

    def _seal(self, record: IdentityRecord) -> None:
        path, notes = self.path(record.identity), self._notes(record.identity)
        kept = KeptIdentity(record, path.stat().st_size, file_id(path))
        with atomic_write(notes) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))


def open_store() -> IdentityStore:
    """The learnt faces of this user; the commands and the service keep them in the same place."""
    return IdentityStore(identity_folder(data_folder()))


@lru_cache(maxsize=256)
def _digest(path: Path, modified_ns: int) -> str:
    return file_id(path)
