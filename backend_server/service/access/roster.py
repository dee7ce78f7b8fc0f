"""Keeps the public keys of the clients on other machines, one file each in the data folder."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from backend_server.files import atomic_write, private_folder
from backend_server.service.access.keys import check_private
from shared.endpoint import Key
from shared.errors import ErrorCode, SpeechFaceError, ValueRangeError

LOG = logging.getLogger(__name__)

_READ_SECONDS = 1.0  # between two looks into the folder
_MOST_BYTES = 4096
_MOST_CLIENTS = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # lower case: some disks do not tell capitals apart
_WRITABLE_BY_OTHERS = 0o022


class Guest(msgspec.Struct, frozen=True):
    """A client on another machine.

    Attributes:
        name: that its owner chose.
        public_key: by which the service knows it.
        added: when it was added.
    """

    name: str
    public_key: Key
    added: datetime


class Roster:
    """The clients that were added.

    Args:
        folder: of their files; it may be missing.
        now: seconds that never go back.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._now = now
        self._keys: frozenset[bytes] = frozenset()
        self._next_look = now()
        self._warned: set[str] = set()

    def public_keys(self) -> frozenset[bytes]:
        """Their public keys; the folder is read at most once a second, and changes count from then on."""
        if self._now() >= self._next_look:
            self._next_look = self._now() + _READ_SECONDS
            try:
                self._keys = frozenset(guest.public_key.encode() for guest in self.guests())
            except OSError as error:
                self._warn(f"the clients in {self._folder} cannot be read ({error.strerror}); nothing has changed")
        return self._keys

    def guests(self) -> list[Guest]:
        """All of them by name; files that are damaged or open to others are left out, and the log says so.

        Raises:
            OSError: the folder cannot be read.
        """
        if not self._folder.exists():
            return []
        found: list[Guest] = []
        for path in sorted(self._folder.glob("client_*.json"))[:_MOST_CLIENTS]:
            try:
                with path.open("rb") as file:
                    check_private(path, os.fstat(file.fileno()), _WRITABLE_BY_OTHERS)
                    found.append(msgspec.json.decode(file.read(_MOST_BYTES), type=Guest))
            except FileNotFoundError:  # revoked at this moment
                continue
            except SpeechFaceError as error:
                self._warn(f"a client is left out: {error.sentence}")
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._warn(f"a client is left out: its file {path} is damaged ({error!s:.200})")
        return found

    def check_new(self, name: str) -> None:
        """Checks the name of a client that shall be added.

        Raises:
            ValueRangeError: it is no name, or taken.
        """
        if self._path(name).exists():
            raise ValueRangeError(f"there is a client {name} already; revoke it first, or choose another name")
        if self._folder.exists() and len(list(self._folder.glob("client_*.json"))) >= _MOST_CLIENTS:
            raise ValueRangeError(f"there are {_MOST_CLIENTS} clients already; revoke some")

    def add(self, name: str, public_key: bytes) -> None:
        """Adds a client.

        Raises:
            ValueRangeError: the name is no name, or taken.
            SpeechFaceError: the file cannot be written.
        """
        self.check_new(name)
        guest = Guest(name, public_key.decode(), datetime.now(UTC).replace(microsecond=0))
        path = self._path(name)
        try:
            private_folder(self._folder)
            with atomic_write(path) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_bytes(msgspec.json.format(msgspec.json.encode(guest)))
        except OSError as error:
            raise SpeechFaceError(
                f"the client file {path} cannot be written ({error.strerror}); make the data folder writable",
                code=ErrorCode.BAD_VALUE,
            ) from error

    def revoke(self, name: str) -> None:
        """Takes a client out.

        Raises:
            ValueRangeError: there is none of that name.
            SpeechFaceError: its file cannot be removed.
        """
        path = self._path(name)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise ValueRangeError(f"there is no client {name}; see: python -m backend_server clients list") from error
        except OSError as error:
            raise SpeechFaceError(
                f"the client file {path} cannot be removed ({error.strerror}); make the data folder writable",
                code=ErrorCode.BAD_VALUE,
            ) from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueRangeError(
                f"{name!r:.80} cannot name a client; use 1 to 64 small letters, digits, - and _, such as studio-2"
            )
        return self._folder / f"client_{name}.json"

    def _warn(self, sentence: str) -> None:
        """Logs a sentence, once."""
        if sentence not in self._warned and len(self._warned) < _MOST_CLIENTS:
            self._warned.add(sentence)
            LOG.warning("%s", sentence)
