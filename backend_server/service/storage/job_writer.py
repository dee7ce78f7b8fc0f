"""Writes for the store beside the loop, in the order of the calls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from backend_server.service.storage.disk import DiskThread
from backend_server.service.storage.job_files import JobFiles
from backend_server.service.storage.job_index import Job, JobIndex
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

_PENDING_BYTES = 64 * 1024 * 1024  # above this, the worker waits for the disk


class SkippedError(Exception):
    """A message was not written, because one before it could not be."""


class JobWriter:
    """What is being written and deleted.

    Args:
        files: of the queue.
        index: its jobs.

    Attributes:
        freeing: bytes that are being deleted.
    """

    def __init__(self, files: JobFiles, index: JobIndex) -> None:
        self._files = files
        self._index = index
        self._writer = DiskThread("spool")
        self._sweeper = DiskThread("sweeper")
        self.freeing = 0
        self._sweep(0)

    @property
    def is_busy(self) -> bool:
        """Whether something is being written."""
        return self._writer.is_busy

    @property
    def unwritten_bytes(self) -> int:
        """Bytes of messages that wait in memory until they are written."""
        return self._writer.pending_bytes

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that no more results should be taken."""
        return self.unwritten_bytes > _PENDING_BYTES

    def write(
        self,
        job: Job,
        name: int | str,
        parts: Sequence[Bytes],
        commit: Callable[[], None],
        then: Callable[[Exception | None], None],
        refusal: Exception | None = None,
        may_use_reserve: bool = False,
    ) -> None:
        """Writes a message of a job, unless an earlier write of the same generation failed.

        Args:
            job: whose message it is.
            name: "request", or the sequence of a result.
            parts: of the message.
            commit: notes it in the queue file.
            then: called in the loop with what went wrong, if the job has not been forgotten.
            refusal: why it must not be written.
            may_use_reserve: whether the space that is kept in reserve is given up when the disk is full.
        """
        path, generation = self._files.path(job.row.id, name), job.generation

        def work() -> None:
            if generation <= job.broken:
                raise SkippedError
            try:
                if refusal is not None:
                    raise refusal
                self._files.write(path, parts, commit, may_use_reserve)
            except Exception:
                job.broken = max(job.broken, generation)
                raise

        def note(_: object, error: Exception | None) -> None:
            if self._index.holds(job):
                if error is not None and not isinstance(error, SkippedError):
                    job.generation += 1
                then(error)

        self._writer.submit(work, note, sum(len(part) for part in parts))

    def do(self, work: Callable[[], None]) -> None:
        """Does something else to the files, when its turn comes."""
        self._writer.submit(work, _log_failure)

    def note(self, job: Job, **changes: float | str) -> None:
        """Notes in the queue file what has changed of a job."""
        self.do(lambda: self._files.queue.update(job.row.id, **changes))

    def drop(self, job: Job) -> None:
        """Forgets a job; its files are deleted by and by."""
        self._index.forget(job)
        job.broken = job.generation + 1  # what is still to be written is left out
        self.freeing += job.row.size

        def then(_: object, error: Exception | None) -> None:
            _log_failure(None, error)
            self._sweep(job.row.size)

        self._writer.submit(lambda: self._files.remove(job.row.id), then)

    def collect(self) -> None:
        """Takes note of what was done since the last call."""
        self._writer.collect()
        self._sweeper.collect()

    def settle(self) -> None:
        """Waits until everything is done, and takes note of it."""
        while self._writer.is_busy or self._sweeper.is_busy:
            self._writer.settle()
            self._sweeper.settle()

    def close(self) -> None:
        """Waits until everything is written."""
        self._writer.close()
        self._sweeper.close()

    def _sweep(self, size: int) -> None:
        def then(_: object, error: Exception | None) -> None:
            self.freeing -= size
            _log_failure(None, error)

        self._sweeper.submit(self._files.sweep, then)


def _log_failure(_: object, error: Exception | None) -> None:
    if error is not None:
        LOG.error("the queue cannot be noted on disk: %s", error)
