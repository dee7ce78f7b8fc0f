"""Keeps the queue of jobs and their results.

The loop knows all jobs in memory. A thread writes: the queue into an SQLite file, the messages beside it, in one folder
per job, in the order in which they came. What is told to clients is on disk before: a job is accepted, and a result
exists, once it is stored. After a restart, the service finds the same queue and every result.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from backend_server.service.storage.job_files import JobFiles
from backend_server.service.storage.job_index import Job, JobIndex, JobRecord, ListedJob, StoreLimits, StoreUsage
from backend_server.service.storage.job_writer import JobWriter, SkippedError
from backend_server.service.storage.queue_file import NO_ORIGIN, JobOrigin, JobState
from backend_server.service.storage.reading import MessageReader
from backend_server.service.storage.room import Room
from backend_server.service.storage.spool import FreeBytes, as_reason, free_bytes
from shared.errors import ErrorCode, SpeechFaceError
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

_CLOCK_SECONDS = 60.0  # between notes of how long the service has run
_REPAIR_SECONDS = 5.0  # between tries to store what could not be stored

Arrived = Callable[[SpeechFaceError | None], None]


class JobStore:
    """Queue and results of one service.

    Args:
        folder: of the queue; created if missing; for one service at a time.
        limits: how much it keeps.
        measure: free bytes of a folder's disk.
        now: seconds that never go back; only differences matter.

    Attributes:
        on_fault: called with a job and the reason why one of its results could not be stored.
        on_ended: called with a job whose end is stored.
        is_attached: whether a client is being sent the results of a job; these are never purged.

    Raises:
        SpeechFaceError: another service uses the folder, or it cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        limits: StoreLimits | None = None,
        measure: FreeBytes = free_bytes,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or StoreLimits()
        self._now = now
        self.on_fault: Callable[[str, SpeechFaceError], None] = lambda _job, _error: None
        self.on_ended: Callable[[str], None] = lambda _job: None
        self.is_attached: Callable[[str], bool] = lambda _job: False
        self._files = JobFiles(folder)
        try:
            self._index = JobIndex(self._files.read())
            self._clock_base, self._began = self._files.queue.clock(), now()
        except BaseException:
            self._files.close()
            raise
        self._next_clock_note = self._next_repair = now()
        self._writer = JobWriter(self._files, self._index)
        self._room = Room(folder, self._index, self._writer, self._limits, measure, self._spare)
        self._reader = MessageReader()

    def close(self) -> None:
        """Stores what is still in memory and releases the folder for another service."""
        self._writer.do(self._clock_note())
        self._writer.close()
        self._reader.close()
        self._files.close()

    @property
    def is_busy(self) -> bool:
        """Whether something is being written or read."""
        return self._writer.is_busy or self._reader.is_busy

    @property
    def unwritten_bytes(self) -> int:
        """Bytes of requests and results that wait in memory until they are written."""
        return self._writer.unwritten_bytes

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that no more results should be taken."""
        return self._writer.is_behind

    def usage(self) -> StoreUsage:
        """How much the store holds."""
        limit, free = self._limits.spool_bytes, self._room.on_disk()
        return StoreUsage(self._index.states(), len(self.queue()), self._index.used, limit, free)

    def free_bytes(self) -> int:
        """Bytes that jobs may still fill."""
        return self._room.left()

    def clock(self) -> float:
        """Seconds that services with this folder have run: ages do not depend on the clock of the machine."""
        return self._clock_base + self._now() - self._began

    def collect(self) -> None:
        """Takes note of what was written and read since the last call."""
        self._writer.collect()
        self._reader.collect()

    def settle(self) -> None:
        """Waits until everything is written and read, and takes note of it."""
        self._writer.settle()
        self._reader.settle()

    def add(
        self,
        job: str,
        request: Sequence[Bytes],
        needed_bytes: int,
        then: Arrived = lambda _: None,
        origin: JobOrigin = NO_ORIGIN,
    ) -> None:
        """Puts a job at the end of the queue.

        Args:
            job: a new ID.
            request: its request message.
            needed_bytes: how much space its results will need.
            then: called when the job is stored, or with the reason why it cannot be; then it is forgotten.
            origin: where it comes from.

        Raises:
            NoSpaceError: there is no room for request and results.
            SpeechFaceError: the queue is too long.
        """
        if self._index.live >= self._limits.longest_queue:
            raise SpeechFaceError(
                f"{self._index.live} jobs wait already, and more are not taken; wait until some have ended, "
                "or cancel some",
                code=ErrorCode.TOO_LARGE,
            )
        size = sum(len(part) for part in request)
        self._room.make(size + needed_bytes)
        new = self._index.arrive(job, size, origin)
        stored = replace(new.row, state=JobState.QUEUED)
        self._writer.write(
            new,
            "request",
            request,
            lambda: self._files.queue.add(stored),
            lambda error: self._arrived(new, error, then),
        )

    def find(self, job: str) -> JobRecord | None:
        """The job of that ID, if there is one."""
        known = self._index.get(job)
        return known and JobRecord(job, known.row.state, known.row.attempts, known.row.results)

    def jobs(self, *, are_ended: bool = False) -> list[ListedJob]:
        """The one that runs, then the queued ones in order, then those that arrive; or those that have ended."""
        return self._index.ended_jobs() if are_ended else self._index.open_jobs()

    def forget(self, job: str) -> None:
        """Deletes a job and all that is kept of it."""
        self._writer.drop(self._index[job])

    def is_ending(self, job: str) -> bool:
        """Whether a job has ended or been forgotten, or its end is being stored."""
        known = self._index.get(job)
        return known is None or known.is_ending or known.row.state is JobState.ENDED

    def queue(self) -> list[str]:
        """IDs of the queued jobs, the next one first."""
        return self._index.queue()

    def next_job(self) -> str | None:
        """ID of the queued job that is next; after a restart, none whose client may still come back."""
        return self._index.next_job(self._now() - self._began >= self._limits.park_seconds)

    def unpark(self, job: str) -> None:
        """Gives a job from before a restart its place back, as a client asks for it."""
        self._index.unpark(job)

    def position(self, job: str) -> int | None:
        """How many queued jobs come before this one; None if it is not queued."""
        return self._index.position(job)

    def request(self, job: str) -> list[bytes] | None:
        """The request message of a job; None while it is being read: ask again after `collect`.

        Raises:
            MessageError: the stored message is missing or damaged.
        """
        key = (self._index[job].row.number, "request")
        parts = self._reader.get(key, self._files.path(job, "request"))
        if parts is not None:
            self._reader.forget(key)
        return parts

    def begin(self, job: str) -> None:
        """Notes that a worker starts the job."""
        known, row = self._index[job], self._index[job].row
        self._index.leave_queue(row)
        row.state, row.attempts = JobState.RUNNING, row.attempts + 1
        self._writer.note(known, state=row.state.value, attempts=row.attempts)

    def put_back(self, job: str) -> None:
        """Notes that the job waits again, at its old place in the queue; what is stored of it stays."""
        known = self._index[job]
        if not known.is_ending:
            self._index.enter_queue(known.row)
            self._writer.note(known, state=JobState.QUEUED.value)

    def appended(self, job: str) -> int:
        """How many results were given to the store, also those that are still being written."""
        return self._index[job].appended

    def append(self, job: str, result: Sequence[Bytes]) -> None:
        """Keeps the next result message; `on_fault` tells when that is impossible."""
        known, size = self._index[job], sum(len(part) for part in result)
        known.appended += 1
        sequence = known.appended
        self._index.grow(known, size)
        refusal, total = self._room.refusal(), known.row.size
        self._writer.write(
            known,
            sequence,
            result,
            lambda: self._files.queue.update(job, results=sequence, size=total),
            lambda error: self._appended(known, sequence, size, error),
            refusal,
        )

    def end(self, job: str, encode: Callable[[int], list[Bytes]]) -> None:
        """Ends a job with its last message; a job that is ending already does not change.

        When not even the reserve helps the disk to take it, the end stays in memory and is stored later.

        Args:
            job: its ID.
            encode: makes the message of that sequence.
        """
        known = self._index.get(job)
        if known is None or self.is_ending(job):
            return
        sequence = known.appended + 1
        message = encode(sequence)
        known.appended, known.is_ending = sequence, True
        self._index.leave_queue(known.row)
        self._write_end(known, sequence, message, lambda error: self._ended(known, sequence, message, error))

    def result(self, job: str, sequence: int) -> list[Bytes] | None:
        """One result message of a job; None while it is being read: ask again after `collect`.

        Raises:
            MessageError: the stored message is missing or damaged.
        """
        known = self._index[job]
        if known.unstored_end is not None and sequence == known.row.results:
            return known.unstored_end
        parts = self._reader.get((known.row.number, sequence), self._files.path(job, sequence))
        return None if parts is None else [*parts]

    def note_delivered(self, job: str) -> None:
        """Notes that a client was sent everything of a job that ended."""
        known = self._index.get(job)
        if known is not None and known.row.state is JobState.ENDED:
            known.row.delivered = self.clock()
            self._writer.note(known, delivered=known.row.delivered)

    def do_upkeep(self) -> None:
        """Does what is due: forgets old jobs, keeps a reserve, stores what could not be stored before."""
        for known in self._index.overdue(self.clock(), self._limits, self.is_attached):
            self._writer.drop(known)
        now = self._now()
        if now >= self._next_clock_note:
            self._next_clock_note = now + _CLOCK_SECONDS
            self._writer.do(self._clock_note())
        if now >= self._next_repair:
            self._next_repair = now + _REPAIR_SECONDS
            self._repair()

    def _repair(self) -> None:
        if self._files.queue.is_gone():
            rows = [replace(known.row) for known in self._index]
            self._writer.do(lambda: self._files.begin_anew(rows))
        for known in self._index:
            if known.unstored_end is not None:
                self._write_end(known, known.row.results, known.unstored_end, self._then_ended_again(known))
        free = self._room.above_spare()
        self._writer.do(lambda: self._files.fill_reserve(free))

    def _spare(self, needed: int) -> list[Job]:
        return self._index.spare(needed, self.clock() - self._limits.grace_seconds, self.is_attached)

    def _clock_note(self) -> Callable[[], None]:
        seconds = self.clock()
        return lambda: self._files.queue.set_clock(seconds)

    def _write_end(
        self, known: Job, sequence: int, message: list[Bytes], then: Callable[[Exception | None], None]
    ) -> None:
        job, ended = known.row.id, self.clock() if known.row.ended is None else known.row.ended

        def commit() -> None:
            self._files.queue.update(job, results=sequence, state=JobState.ENDED.value, ended=ended)

        self._writer.write(known, sequence, message, commit, then, may_use_reserve=True)

    def _arrived(self, known: Job, error: Exception | None, then: Arrived) -> None:
        if error is not None:
            self._writer.drop(known)
            then(as_reason(error))
            return
        if not known.is_ending:
            self._index.enter_queue(known.row)
        then(None)

    def _appended(self, known: Job, sequence: int, size: int, error: Exception | None) -> None:
        if error is None:
            known.row.results = sequence
            return
        self._index.grow(known, -size)
        if not isinstance(error, SkippedError):
            known.appended, known.is_ending = known.row.results, False
            self.on_fault(known.row.id, as_reason(error))

    def _ended(self, known: Job, sequence: int, message: list[Bytes], error: Exception | None) -> None:
        if isinstance(error, SkippedError):
            return
        if error is not None:
            LOG.error("the end of job %s cannot be stored yet: %s", known.row.id, error)
            known.unstored_end = message
        self._index.end(known, sequence, self.clock())
        self.on_ended(known.row.id)

    def _then_ended_again(self, known: Job) -> Callable[[Exception | None], None]:
        def then(error: Exception | None) -> None:
            if error is None:
                known.unstored_end = None

        return then
