"""Lets the programs of one user share the service of a data folder, which has room for one.

A service leaves its connection in the data folder while it runs. Another `serve --share` that finds the folder in use
writes that connection into its own connection file and ends, so whoever started it reaches the service that runs.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from backend_server.identities.store import data_folder
from backend_server.processes import ending_signals
from backend_server.service.access.security import withdraw
from backend_server.service.storage.queue_file import DataFolderInUseError
from shared.endpoint import (
    MAX_FILE_BYTES,
    Connection,
    default_connection_file,
    read_connection_file,
    write_connection_file,
)
from shared.errors import ConnectionFileError, SpeechFaceError

LOG = logging.getLogger(__name__)

OFFER_NAME = "connection.json"
_PATIENCE_SECONDS = 10.0  # the other service holds the folder before it can be reached, and after
_PAUSE_SECONDS = 0.1
_CLOCK_SECONDS = 1.0  # by which the times of files and processes may differ


@contextmanager
def offered(connection_file: Path, data_dir: Path) -> Iterator[None]:
    """Keeps a copy of the connection file in the data folder; a service that cannot be offered runs all the same."""
    offer = data_dir / OFFER_NAME
    if offer.resolve() == connection_file.resolve():
        yield
        return
    try:
        _remove_dead(offer)
        write_connection_file(offer, read_connection_file(connection_file))
    except (SpeechFaceError, OSError) as error:
        LOG.warning("other programs cannot share this backend: %s", error)
    try:
        yield
    finally:
        withdraw(offer)


def serve_or_share(
    serve: Callable[[], None],
    connection_file: Path | None = None,
    data_dir: Path | None = None,
    patience: float = _PATIENCE_SECONDS,
) -> None:
    """Serves, or writes the connection of the service that uses the data folder and returns.

    Args:
        serve: runs a service with that connection file and data folder.
        connection_file: of the service, or the place for the other one's connection; the user's default place if None.
        data_dir: of both; the user's data folder if None.
        patience: seconds to wait until the other service can be reached or has left the folder.

    Raises:
        SpeechFaceError: whatever `serve` raises; the folder is in use, but by no service that can be found.
    """
    folder = data_dir or data_folder()
    deadline = time.monotonic() + patience
    handlers = {number: signal.getsignal(number) for number in ending_signals()}
    while True:
        try:
            serve()
        except DataFolderInUseError:
            for number, handler in handlers.items():  # `serve` has set its own
                signal.signal(number, handler)
            if (found := _running(folder / OFFER_NAME)) is not None:
                _write(connection_file or default_connection_file(), found)
                LOG.info("the backend of process %d uses %s; it is shared", found.pid, folder)
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _running(path: Path) -> Connection | None:
    """The connection in a file if its service runs."""
    try:
        connection = read_connection_file(path)
        process = psutil.Process(connection.pid)
        is_older = process.create_time() <= path.stat().st_mtime + _CLOCK_SECONDS  # else the number was used again
        return connection if is_older and process.status() != psutil.STATUS_ZOMBIE else None
    except (ConnectionFileError, psutil.Error, OSError):
        return None


def _write(path: Path, connection: Connection) -> None:
    if _running(path) != connection:
        _remove_dead(path)
        write_connection_file(path, connection)


def _remove_dead(path: Path) -> None:
    """Removes a connection file, whole or damaged, whose service is gone; anything else stays."""
    if not path.is_file() or _running(path) is not None:
        return
    with path.open("rb") as file:
        start = file.read(MAX_FILE_BYTES)
    if not start or b"_key" in start:
        path.unlink(missing_ok=True)
