"""Reads stored messages beside the loop, and keeps the last ones for the clients that want them next."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import cast

from backend_server.service.storage.disk import DiskThread
from backend_server.service.storage.spool import read_message
from shared.errors import MessageError

_KEPT_BYTES = 64 * 1024 * 1024
_THREADS = 2
_MOST_PENDING = 8


class MessageReader:
    """The messages that were read last, and those that are being read."""

    def __init__(self) -> None:
        self._threads = DiskThread("reader", _THREADS)
        self._pending: set[Hashable] = set()
        self._read: dict[Hashable, list[bytes] | Exception] = {}  # in the order in which they came

    @property
    def is_busy(self) -> bool:
        """Whether something is being read."""
        return bool(self._pending)

    def get(self, key: Hashable, path: Path) -> list[bytes] | None:
        """The parts of a stored message; None while they are being read: ask again after `collect`.

        Raises:
            MessageError: the file is missing or damaged.
        """
        found = self._read.get(key)
        if isinstance(found, Exception):
            del self._read[key]
            if isinstance(found, MessageError):
                raise found
            raise MessageError(f"cannot read the stored message {path}: {found}") from found
        if found is None and key not in self._pending and len(self._pending) < _MOST_PENDING:
            self._pending.add(key)
            self._threads.submit(lambda: read_message(path), lambda parts, error: self._keep(key, parts, error))
        return found

    def forget(self, key: Hashable) -> None:
        """Frees the memory of a message that nobody wants again."""
        self._read.pop(key, None)

    def collect(self) -> None:
        """Takes what was read since the last call; what was kept longest makes room."""
        size = sum(sum(map(len, parts)) for parts in self._read.values() if isinstance(parts, list))
        for key in list(self._read):
            if size <= _KEPT_BYTES:
                break
            parts = self._read.pop(key)
            size -= sum(map(len, parts)) if isinstance(parts, list) else 0
        self._threads.collect()

    def settle(self) -> None:
        """Waits until everything is read."""
        self._threads.settle()

    def close(self) -> None:
        """Ends the threads."""
        self._threads.close()

    def _keep(self, key: Hashable, parts: object, error: Exception | None) -> None:
        self._pending.discard(key)
        self._read[key] = error if error is not None else cast("list[bytes]", parts)
