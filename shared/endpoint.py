"""Writes and reads the connection file, by which clients find the backend and may use it.

The file holds the backend's address, its public key, and the key pair of the clients. Anyone who can read the file may
use the backend, so only its owner can read it. Keys are plain strings here; `shared` uses no sockets.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from .errors import ConnectionFileError, ErrorCode
from .profile import warn_outside_profile
from .protocol import PROTOCOL_VERSION

ENVIRONMENT_VARIABLE = "SPEECH_FACE_CONNECTION_FILE"
MAX_FILE_BYTES = 64 * 1024

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_HIGHEST_PORT = 65_535

Key = Annotated[
    str, Meta(pattern=r"\A[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}\Z", description="32 bytes in Z85 (ZeroMQ RFC 32)")
]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What the connection file holds.

    Attributes:
        address: ZeroMQ address, "tcp://127.0.0.1:49152".
        server_public_key: by which clients recognise the backend.
        client_public_key: by which the backend recognises its clients.
        client_secret_key: proves a client to the backend.
        version: protocol version of the backend.
        pid: process of the backend, on its machine; 0 in a file that was made for another machine.
    """

    address: Annotated[str, Meta(pattern=r"\Atcp://[^\s/]{1,255}:[0-9]{1,5}\Z")]
    server_public_key: Key
    client_public_key: Key
    client_secret_key: Key
    version: str = PROTOCOL_VERSION
    pid: Annotated[int, Meta(ge=0)]


def default_connection_file() -> Path:
    """Where the backend of this user writes its connection file.

    `SPEECH_FACE_CONNECTION_FILE` overrides the usual place of the operating system.
    """
    if override := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(override).expanduser()
    if sys.platform.startswith(("win32", "darwin")) or not (runtime := os.environ.get("XDG_RUNTIME_DIR")):
        return user_folder() / "connection.json"
    return Path(runtime) / "speech_face" / "connection.json"


def user_folder() -> Path:
    """The folder of Speech Face among those that the operating system keeps for this user's programs."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Speech Face"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "Speech Face"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "speech_face"


def write_connection_file(path: Path, connection: Connection) -> None:
    """Writes a connection file that only its owner can read; it appears complete or not at all.

    On Windows the folder decides who can read it; a place outside the user's profile is warned of.

    Raises:
        ConnectionFileError: the file exists already, or cannot be written.
    """
    warn_outside_profile(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # created exclusively, mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(connection)))
            if sys.platform == "win32":
                Path(temporary).rename(path)  # fails there when the file exists
            else:
                path.hardlink_to(temporary)  # fails when the file exists
        finally:
            Path(temporary).unlink(missing_ok=True)
    except FileExistsError as error:
        raise ConnectionFileError(
            f"the connection file {path} exists already; stop the backend that wrote it, or choose another file"
        ) from error
    except OSError as error:
        raise ConnectionFileError(f"cannot write the connection file {path}: {error.strerror}") from error


def read_connection_file(path: Path) -> Connection:
    """Reads a connection file.

    Raises:
        ConnectionFileError: it is missing, readable by others, damaged, or of another protocol version.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe would wait for its other end
            raise ConnectionFileError(f"cannot read the connection file {path}: it is not a file; choose another")
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConnectionFileError(f"there is no connection file {path}; start the backend") from error
    except OSError as error:
        raise ConnectionFileError(f"cannot read the connection file {path}: {error.strerror}") from error
    try:
        connection = msgspec.json.decode(content[:MAX_FILE_BYTES], type=Connection)
        _check_values(connection)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConnectionFileError(
            f"the connection file {path} is damaged ({error}); move it away and start the backend again"
        ) from error
    if connection.version.split(".")[0] != PROTOCOL_VERSION.split(".")[0]:
        raise ConnectionFileError(
            f"the backend of {path} speaks protocol {connection.version}, this program {PROTOCOL_VERSION}; "
            "install the add-on and the backend of the same release",
            code=ErrorCode.VERSION_MISMATCH,
        )
    return connection


def _check_values(connection: Connection) -> None:
    """Checks what patterns cannot: ZeroMQ itself has no sentence for a wrong port or key."""
    port = int(connection.address.rpartition(":")[2])
    if not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"its address {connection.address} has no port from 1 to {_HIGHEST_PORT}")
    for key in (connection.server_public_key, connection.client_public_key, connection.client_secret_key):
        for group in (key[start : start + 5] for start in range(0, len(key), 5)):
            value = 0
            for letter in group:
                value = 85 * value + _Z85.index(letter)
            if value >= 2**32:
                raise ValueError("one of its keys is not Z85")


def _check_owner(path: Path, status: os.stat_result) -> None:
    warn_outside_profile(path.parent)
    if sys.platform == "win32":  # file modes have no effect
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ConnectionFileError(
            f"the connection file {path} can be read by other users (mode {mode:04o}); close it with: chmod 600 {path}"
        )
    if status.st_uid != os.geteuid():
        raise ConnectionFileError(f"the connection file {path} belongs to another user; choose a file of your own")
