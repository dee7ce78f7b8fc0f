"""Keeps the queue of jobs in an SQLite file.

A file that cannot be read as a queue is set aside under another name and never deleted; `JobStore` finds its jobs
again by their folders.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError

LOG = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    results INTEGER NOT NULL DEFAULT 0,
    changed REAL NOT NULL DEFAULT 0,
    ended REAL,
    delivered REAL,
    size INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT '',
    came REAL,
    face TEXT NOT NULL DEFAULT ''
)
"""
_LATER_COLUMNS = {
    "ended": "REAL",
    "delivered": "REAL",
    "size": "INTEGER NOT NULL DEFAULT 0",
    "kind": "TEXT NOT NULL DEFAULT ''",
    "owner": "TEXT NOT NULL DEFAULT ''",
    "came": "REAL",
    "face": "TEXT NOT NULL DEFAULT ''",
}
_COLUMNS = "number, id, state, attempts, results, ended, delivered, size, kind, owner, came, face"
_CLOCK = "CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), seconds REAL NOT NULL)"


class DataFolderInUseError(SpeechFaceError):
    """Another service uses the data folder."""

    code = ErrorCode.BAD_VALUE


class JobState(StrEnum):
    """The state of a job; the values are stored in the SQLite file, except `ARRIVING`."""

    ARRIVING = "arriving"  # it is not stored yet
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class JobOrigin:
    """Where a job comes from, for people who look at the queue.

    Attributes:
        kind: one of `protocol.KINDS`, such as "adapt"; empty if unknown.
        owner: program and version of the client that sent it; empty if unknown.
        came: when it was sent, seconds since 1970 by the machine's clock; None if unknown.
        face: ID of the learnt face that it needs; empty if none.
    """

    kind: str = ""
    owner: str = ""
    came: float | None = None
    face: str = ""


NO_ORIGIN = JobOrigin()


@dataclass
class QueueRow:
    """One job as the file holds it.

    Attributes:
        number: by which jobs are ordered.
        id: of the job.
        state: queued, running or ended.
        attempts: how often it was started.
        results: how many result messages are stored.
        ended: on the queue's clock, seconds; None until it ended.
        delivered: when a client last got its end, on the same clock; None if none has.
        size: bytes of its messages.
        origin: where it comes from.
    """

    number: int
    id: str
    state: JobState
    attempts: int = 0
    results: int = 0
    ended: float | None = None
    delivered: float | None = None
    size: int = 0
    origin: JobOrigin = NO_ORIGIN


class QueueFile:
    """The SQLite file of one service.

    Args:
        path: the file; created if missing.

    Raises:
        SpeechFaceError: another service uses it, or it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._database = _open(path)
        except sqlite3.Error as error:
            if not _is_damaged(error):
                raise open_error(path, error) from error
            _set_aside(path, error)
            try:
                self._database = _open(path)
            except sqlite3.Error as again:
                raise open_error(path, again) from again
        self._inode = path.stat().st_ino

    def rows(self) -> list[QueueRow]:
        """All jobs, the oldest first."""
        found = self._database.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY number")
        known = {JobState.QUEUED, JobState.RUNNING, JobState.ENDED}
        return [
            QueueRow(row[0], row[1], JobState(row[2]), *row[3:8], origin=JobOrigin(*row[8:]))
            for row in found
            if row[2] in known
        ]

    def clock(self) -> float:
        """Seconds that services with this file have run, in all."""
        row = self._database.execute("SELECT seconds FROM clock").fetchone()
        return max(0.0, float(row[0])) if row else 0.0

    def set_clock(self, seconds: float) -> None:
        """Notes how long services with this file have run."""
        self._database.execute("INSERT OR REPLACE INTO clock VALUES (1, ?)", (seconds,))

    def add(self, row: QueueRow) -> None:
        """Adds a job; one with the same number or ID is replaced."""
        values = (row.number, row.id, row.state.value, row.attempts, row.results, row.ended, row.delivered, row.size)
        origin = (row.origin.kind, row.origin.owner, row.origin.came, row.origin.face)
        self._database.execute(
            f"INSERT OR REPLACE INTO jobs ({_COLUMNS}, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (*values, *origin),
        )

    def update(self, job: str, **changes: float | str) -> None:
        """Notes what has changed of a job; the names are those of `QueueRow`."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        self._database.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (*changes.values(), job))

    def remove(self, job: str) -> None:
        """Forgets a job."""
        self._database.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def is_gone(self) -> bool:
        """Whether somebody deleted or replaced the file while it was open; on Windows nobody can."""
        try:
            return os.name != "nt" and self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True
        except OSError:  # it cannot be looked at now
            return False

    def close(self) -> None:
        """Releases the file for another service."""
        self._database.close()


def is_full(error: BaseException) -> bool:
    """Whether SQLite failed for want of space; some disks report it as an error of reading or writing."""
    text = str(error)
    return isinstance(error, sqlite3.Error) and ("full" in text or "disk I/O" in text)


def open_error(path: Path, error: sqlite3.Error) -> SpeechFaceError:
    """The sentence for a file that cannot be opened or changed; none of them asks to delete it."""
    text = str(error)
    folder = path.parent
    if "locked" in text:
        return DataFolderInUseError(
            f"another backend uses the data folder {folder.parent}; stop it, or choose another folder with --data-dir, "
            "in Blender as the Data Folder"
        )
    if is_full(error):
        return NoSpaceError(
            f"the disk of {folder} is full or cannot be written ({text}); free some space, "
            "or choose another data folder with --data-dir"
        )
    if "readonly" in text or "unable to open" in text or "read-only" in text:
        return SpeechFaceError(
            f"the queue file {path} cannot be written ({text}); make it and its folder writable, "
            "or choose another data folder with --data-dir",
            code=ErrorCode.BAD_VALUE,
        )
    return SpeechFaceError(
        f"the queue file {path} cannot be used ({text}); choose another data folder with --data-dir",
        code=ErrorCode.INTERNAL,
    )


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_SCHEMA)
        database.execute(_CLOCK)
        columns = {row[1] for row in database.execute("PRAGMA table_info(jobs)")}
        for name, kind in _LATER_COLUMNS.items():
            if name not in columns:
                database.execute(f"ALTER TABLE jobs ADD COLUMN {name} {kind}")
        database.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
        database.execute(f"SELECT {_COLUMNS} FROM jobs").fetchall()
    except BaseException:
        database.close()
        raise
    return database


def _is_damaged(error: sqlite3.Error) -> bool:
    text = str(error)
    return any(words in text for words in ("not a database", "malformed", "no such column", "has no column"))


def _set_aside(path: Path, error: sqlite3.Error) -> None:
    number = 1
    while (kept := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    try:
        path.replace(kept)
        for ending in ("-wal", "-shm"):
            beside = path.with_name(path.name + ending)
            if beside.exists():
                beside.replace(kept.with_name(kept.name + ending))
    except OSError as failure:
        raise SpeechFaceError(
            f"the queue file {path} is damaged ({error}) and cannot be renamed ({failure.strerror}); "
            "choose another data folder with --data-dir",
            code=ErrorCode.INTERNAL,
        ) from failure
    LOG.error("the queue file %s is damaged (%s); it is kept as %s, and a new one begins", path, error, kept.name)
