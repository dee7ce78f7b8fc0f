"""Writes the queue and the messages of its jobs; everything but the beginning runs in the store's thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from backend_server.files import private_folder
from backend_server.service.storage import folders
from backend_server.service.storage.queue_file import JobState, QueueFile, QueueRow, is_full, open_error
from backend_server.service.storage.spool import Reserve, write_message
from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError
from shared.wire import Bytes

LOG = logging.getLogger(__name__)


class JobFiles:
    """The files of one queue.

    Args:
        folder: of the queue; created if missing.

    Raises:
        SpeechFaceError: another service uses the folder, or it cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            private_folder(folder)
        except OSError as error:
            raise _folder_error(folder, "created", error) from error
        self.queue = QueueFile(folder / "queue.sqlite")
        self._reserve = Reserve(folder / "reserve")

    def read(self) -> list[QueueRow]:
        """All jobs in their order, also those that only their folders tell of.

        Raises:
            SpeechFaceError: the folder cannot be read.
        """
        try:
            rows = self.queue.rows()
            folders.rename_old_folders(self.folder, [row.id for row in rows])
            clock, number = self.queue.clock(), max((row.number for row in rows), default=0)
            for row in folders.adopted(self.folder, {row.id for row in rows}):
                number += 1
                row.number, row.ended = number, None if row.ended is None else clock
                self.queue.add(row)
                rows.append(row)
        except sqlite3.Error as error:
            raise open_error(self.queue.path, error) from error
        except OSError as error:
            raise _folder_error(self.folder, "read", error) from error
        return rows

    def path(self, job: str, message: int | str) -> Path:
        """Where a message of a job lies: "request", or the result of that sequence."""
        name = message if isinstance(message, str) else f"{message:08d}"
        return folders.job_folder(self.folder, job) / name

    def write(
        self, path: Path, parts: Sequence[Bytes], commit: Callable[[], None], may_use_reserve: bool = False
    ) -> None:
        """Writes a message, then notes it in the queue.

        Args:
            path: of the message.
            parts: of the message.
            commit: notes it.
            may_use_reserve: whether the space that is kept in reserve is given up when the disk is full.

        Raises:
            NoSpaceError: the disk is full.
            SpeechFaceError: the folder cannot be written.
        """
        try:
            self._write_once(path, parts, commit)
        except NoSpaceError:
            folders.sweep(self.folder)  # what is being deleted may be room enough
            if may_use_reserve:
                self._reserve.give_up()
            self._write_once(path, parts, commit)

    def remove(self, job: str) -> None:
        """Forgets a job; its folder goes into the trash, which `sweep` empties."""
        folders.put_into_trash(folders.job_folder(self.folder, job))
        self.queue.remove(job)

    def sweep(self) -> None:
        """Empties the trash."""
        folders.sweep(self.folder)

    def fill_reserve(self, free: int) -> None:
        """Keeps space in reserve if that many free bytes allow it."""
        self._reserve.fill(free)

    def begin_anew(self, rows: list[QueueRow]) -> None:
        """Makes the folder and the queue file again after somebody deleted them.

        Raises:
            SpeechFaceError: they cannot be made.
        """
        LOG.error("the queue file %s was deleted while the backend ran; a new one begins", self.queue.path)
        private_folder(self.folder)
        new = QueueFile(self.queue.path)
        for row in rows:
            if row.state is not JobState.ARRIVING:
                new.add(row)
        self.queue.close()
        self.queue = new

    def close(self) -> None:
        """Releases the folder for another service."""
        self.queue.close()

    def _write_once(self, path: Path, parts: Sequence[Bytes], commit: Callable[[], None]) -> None:
        write_message(path, parts)
        try:
            commit()
        except sqlite3.Error as error:
            if is_full(error):
                sentence = f"the disk of {self.folder} is full ({error}); free some space and try again"
                raise NoSpaceError(sentence) from error
            raise open_error(self.queue.path, error) from error


def _folder_error(folder: Path, what: str, error: OSError) -> SpeechFaceError:
    return SpeechFaceError(
        f"the data folder {folder} cannot be {what} ({error.strerror}); give yourself access to it, "
        "or choose another one with --data-dir",
        code=ErrorCode.BAD_VALUE,
    )
