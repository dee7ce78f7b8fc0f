"""Keeps the service's own keys across restarts, so that connection files on other machines stay right."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import zmq

from backend_server.files import private_folder, temporary_name
from shared.endpoint import Key
from shared.errors import ErrorCode, SpeechFaceError
from shared.profile import warn_outside_profile

_FILE = "server_key.json"
_MOST_BYTES = 4096


class KeyPair(NamedTuple):
    """A CURVE key pair, Z85."""

    public: bytes
    secret: bytes

    @classmethod
    def fresh(cls) -> KeyPair:
        """A new pair."""
        return cls(*zmq.curve_keypair())


class _Kept(msgspec.Struct, frozen=True):
    public_key: Key
    secret_key: Key


def has_kept_keys(data_dir: Path) -> bool:
    """Whether the service of a data folder has keys that it uses again."""
    return (data_dir / _FILE).exists()


def kept_keys(data_dir: Path) -> KeyPair:
    """The keys of the service of a data folder; they are made when there are none.

    Raises:
        SpeechFaceError: the key file is damaged, belongs to others, or cannot be read or written.
    """
    path = data_dir / _FILE
    try:
        if not path.exists():
            _write(path, KeyPair.fresh())
        return _read(path)
    except OSError as error:
        raise _bad(f"the key file {path} cannot be used ({error.strerror}); make its folder writable") from error


def check_private(path: Path, status: os.stat_result, forbidden: int = 0o077) -> None:
    """Checks that only this user may use a file with keys.

    Args:
        path: of the file, for the sentence.
        status: of the open file.
        forbidden: bits of the mode that must not be set.

    Raises:
        SpeechFaceError: others may.
    """
    warn_outside_profile(path.parent)
    if sys.platform == "win32":  # file modes have no effect
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & forbidden:
        raise _bad(f"other users may use the key file {path} (mode {mode:04o}); close it with: chmod 600 {path}")
    if status.st_uid != os.geteuid():
        raise _bad(f"the key file {path} belongs to another user; start the backend as that user")


def _read(path: Path) -> KeyPair:
    with path.open("rb") as file:
        check_private(path, os.fstat(file.fileno()))
        content = file.read(_MOST_BYTES)
    try:
        kept = msgspec.json.decode(content, type=_Kept)
        pair = KeyPair(kept.public_key.encode(), kept.secret_key.encode())
        is_pair = zmq.curve_public(pair.secret) == pair.public
    except (msgspec.MsgspecError, ValueError, RecursionError, zmq.ZMQError) as error:
        raise _damaged(path, str(error)) from error
    if not is_pair:
        raise _damaged(path, "its keys are not a pair")
    return pair


def _write(path: Path, pair: KeyPair) -> None:
    """Writes the file; when another process has just written one, that one stays."""
    if not path.parent.exists():
        private_folder(path.parent)
    temporary = temporary_name(path)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            kept = _Kept(pair.public.decode(), pair.secret.decode())
            file.write(msgspec.json.format(msgspec.json.encode(kept)))
            file.flush()
            os.fsync(file.fileno())
        if sys.platform == "win32":
            temporary.rename(path)  # fails there when the file exists
        else:
            path.hardlink_to(temporary)  # fails when the file exists
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)


def _damaged(path: Path, reason: str) -> SpeechFaceError:
    return _bad(
        f"the key file {path} is damaged ({reason}); rename it to begin with new keys, and add the clients again"
    )


def _bad(sentence: str) -> SpeechFaceError:
    return SpeechFaceError(sentence, code=ErrorCode.BAD_VALUE)
