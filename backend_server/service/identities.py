"""Which faces were adapted already, and how are they found again?

An identity is named by what it was made from: the sha256 of images, landmarks, epochs, seed and weights. The same
request finds the same file; nothing is computed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import msgspec
import numpy as np

from backend_server.service.engine import EngineIdentity
from backend_server.service.spool import read_message, write_message
from shared import wire
from shared.errors import ErrorCode, MessageError, SpeechFaceError
from shared.protocol import Adapted, AdaptRequest
from shared.wire import Bytes


class IdentityFiles(Protocol):
    """The module that knows how an identity lies in a file."""

    def save_identity(self, path: Path, identity: EngineIdentity) -> None:
        """Writes one file."""
        ...

    def load_identity(self, path: Path) -> EngineIdentity:
        """Reads one file."""
        ...


def identity_id(request: AdaptRequest, weights_version: str) -> str:
    """The name of the identity that a request makes with the weights of that version; 64 hexadecimal digits."""
    whole = hashlib.sha256(f"speech_face 1 {weights_version} {request.epochs} {request.seed}".encode())
    arrays = (*request.images, *(() if request.landmarks is None else (request.landmarks,)))
    for array in arrays:
        whole.update(f" {array.dtype.str} {array.shape} ".encode())
        whole.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return whole.hexdigest()


class IdentityStore:
    """The identities of one data folder.

    Args:
        folder: created if missing.
        identity_files: name of the module that is `IdentityFiles`; imported when first needed.
    """

    def __init__(self, folder: Path, identity_files: str) -> None:
        self._folder = folder
        self._identity_files = identity_files
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def names(self) -> list[str]:
        """Ids of all identities, oldest first."""
        paths = sorted(self._folder.glob("*.adapted"), key=lambda path: path.stat().st_mtime_ns)
        return [path.stem for path in paths if self._weights(path.stem).exists()]

    def has(self, identity: str) -> bool:
        """Whether an identity is here."""
        return self._weights(identity).exists() and self._answer(identity).exists()

    def delete(self, identity: str) -> None:
        """Forgets an identity.

        Raises:
            SpeechFaceError: there is no such identity.
        """
        self._check(identity)
        self._answer(identity).unlink(missing_ok=True)
        self._weights(identity).unlink(missing_ok=True)

    def save(self, identity: str, content: EngineIdentity, answer: Sequence[Bytes]) -> None:
        """Keeps an identity and the `Adapted` message that announces it.

        Raises:
            NoSpaceError: the disk is full.
        """
        self._files().save_identity(self._weights(identity), content)
        write_message(self._answer(identity), answer)

    def load(self, identity: str) -> EngineIdentity:
        """What `save` kept.

        Raises:
            SpeechFaceError: there is no such identity, or its file is damaged.
        """
        self._check(identity)
        return self._files().load_identity(self._weights(identity))

    def answer(self, identity: str, **header: object) -> Adapted | None:
        """The `Adapted` message of a known identity with another header; None when it cannot be read."""
        try:
            adapted = wire.decode(read_message(self._answer(identity)))
        except MessageError:
            return None
        return msgspec.structs.replace(adapted, is_cached=True, **header) if isinstance(adapted, Adapted) else None

    def _files(self) -> IdentityFiles:
        return cast("IdentityFiles", import_module(self._identity_files))

    def _check(self, identity: str) -> None:
        if not self.has(identity):
            raise SpeechFaceError(
                f"the identity {identity[:12]} is not on this backend; adapt the images again",
                code=ErrorCode.UNKNOWN_IDENTITY,
            )

    def _weights(self, identity: str) -> Path:
        return self._folder / f"{identity}.safetensors"

    def _answer(self, identity: str) -> Path:
        return self._folder / f"{identity}.adapted"
