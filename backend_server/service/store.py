"""Keeps the queue of jobs and their results on disk.

The queue is an SQLite file; the messages lie beside it, in one folder per job. After a restart, the service finds the
same queue and every result.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from backend_server.service.spool import FreeBytes, check_space, free_bytes, read_message, write_message
from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError
from shared.wire import Bytes

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    results INTEGER NOT NULL DEFAULT 0,
    changed REAL NOT NULL
)
"""


class JobState(StrEnum):
    """The state of a job; the values are stored in the SQLite file."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class JobRecord:
    """One job as the store knows it.

    Attributes:
        id: of the job.
        state: queued, running or ended.
        attempts: how often it was started.
        results: how many result messages it has; they are numbered from 1.
    """

    id: str
    state: JobState
    attempts: int
    results: int


class JobStore:
    """Queue and results of one service.

    Args:
        folder: created if missing; for one service at a time.
        spare_bytes: of free space that jobs must leave.
        measure: free bytes of a folder's disk.

    Raises:
        SpeechFaceError: another service uses the folder, or the queue file is damaged.
    """

    def __init__(self, folder: Path, spare_bytes: int = 0, measure: FreeBytes = free_bytes) -> None:
        self._folder = folder
        self._spare_bytes = spare_bytes
        self._measure = measure
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = sqlite3.connect(folder / "queue.sqlite", timeout=0.5, isolation_level=None)
        try:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_SCHEMA)
            self._database.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
            self._remove_orphans()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise _database_error(folder, error) from error

    def close(self) -> None:
        """Releases the folder for another service."""
        self._database.close()

    def free_bytes(self) -> int:
        """Bytes that jobs may still fill."""
        return max(0, self._measure(self._folder) - self._spare_bytes)

    def add(self, job: str, request: Sequence[Bytes], needed_bytes: int) -> None:
        """Puts a job at the end of the queue.

        Args:
            job: a new ID.
            request: its request message.
            needed_bytes: how much space its results will need.

        Raises:
            NoSpaceError: the disk has no room for request and results.
        """
        needed_bytes += sum(len(part) for part in request) + self._spare_bytes
        try:
            check_space(self._folder, needed_bytes, self._measure)
        except NoSpaceError:
            self.purge(0.0)
            check_space(self._folder, needed_bytes, self._measure)
        self._job_folder(job).mkdir(exist_ok=True, mode=0o700)
        write_message(self._job_folder(job) / "request", request)
        self._database.execute("INSERT INTO jobs (id, state, changed) VALUES (?, 'queued', ?)", (job, time.time()))

    def find(self, job: str) -> JobRecord | None:
        """The job of that ID, if there is one."""
        row = self._database.execute("SELECT id, state, attempts, results FROM jobs WHERE id = ?", (job,)).fetchone()
        return row and JobRecord(row[0], JobState(row[1]), row[2], row[3])

    def queue(self) -> list[str]:
        """IDs of the queued jobs, the next one first."""
        return [row[0] for row in self._database.execute("SELECT id FROM jobs WHERE state = 'queued' ORDER BY number")]

    def request(self, job: str) -> list[bytes]:
        """The request message of a job.

        Raises:
            MessageError: the stored message is missing or damaged.
        """
        return read_message(self._job_folder(job) / "request")

    def begin(self, job: str) -> None:
        """Notes that a worker starts the job."""
        self._set(job, "state = 'running', attempts = attempts + 1")

    def put_back(self, job: str) -> None:
        """Notes that the job waits again, at its old place in the queue."""
        self._set(job, "state = 'queued'")

    def append(self, job: str, sequence: int, result: Sequence[Bytes], is_last: bool = False) -> None:
        """Keeps one result message; the last one ends the job.

        Raises:
            NoSpaceError: the disk is full.
        """
        write_message(self._job_folder(job) / f"{sequence:08d}", result)
        self._set(job, f"results = {sequence:d}" + (", state = 'ended'" if is_last else ""))

    def result(self, job: str, sequence: int) -> list[bytes]:
        """One result message of a job.

        Raises:
            MessageError: the stored message is missing or damaged.
        """
        return read_message(self._job_folder(job) / f"{sequence:08d}")

    def drop(self, job: str) -> None:
        """Forgets a job and its results."""
        self._database.execute("DELETE FROM jobs WHERE id = ?", (job,))
        shutil.rmtree(self._job_folder(job), ignore_errors=True)

    def purge(self, keep_seconds: float) -> None:
        """Forgets jobs that ended longer than this ago, with their results."""
        limit = time.time() - keep_seconds
        rows = self._database.execute("SELECT id FROM jobs WHERE state = 'ended' AND changed <= ?", (limit,))
        for (job,) in rows.fetchall():
            self.drop(job)

    def _remove_orphans(self) -> None:
        known = {self._job_folder(row[0]) for row in self._database.execute("SELECT id FROM jobs")}
        for folder in self._folder.glob("job_*"):
            if folder not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def _job_folder(self, job: str) -> Path:
        return self._folder / f"job_{job}"

    def _set(self, job: str, assignments: str) -> None:
        self._database.execute(f"UPDATE jobs SET {assignments}, changed = ? WHERE id = ?", (time.time(), job))


def _database_error(folder: Path, error: sqlite3.DatabaseError) -> SpeechFaceError:
    if "locked" in str(error):
        return SpeechFaceError(
            f"another backend uses the data folder {folder.parent}; stop it, or choose another folder with --data-dir",
            code=ErrorCode.BAD_VALUE,
        )
    return SpeechFaceError(
        f"the queue file {folder / 'queue.sqlite'} is damaged ({error}); delete it and start the backend again",
        code=ErrorCode.INTERNAL,
    )
