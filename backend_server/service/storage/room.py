"""Keeps the jobs of a store within their space: when it is short, results that were delivered first are given up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend_server.service.storage.job_index import Job, JobIndex, StoreLimits
from backend_server.service.storage.job_writer import JobWriter
from backend_server.service.storage.spool import FreeBytes, not_enough_space, spool_is_full
from shared.errors import NoSpaceError


class Room:
    """The space of one store.

    Args:
        folder: of all jobs.
        index: the jobs.
        writer: deletes those that are given up.
        limits: how much is kept.
        measure: free bytes of a folder's disk.
        spare: jobs that may be given up and take so many bytes; fewer when there are not so many.
    """

    def __init__(
        self,
        folder: Path,
        index: JobIndex,
        writer: JobWriter,
        limits: StoreLimits,
        measure: FreeBytes,
        spare: Callable[[int], list[Job]],
    ) -> None:
        self._folder = folder
        self._index = index
        self._writer = writer
        self._limits = limits
        self._measure = measure
        self._spare = spare

    def on_disk(self) -> int:
        """Free bytes of the disk."""
        return self._measure(self._folder)

    def above_spare(self) -> int:
        """Free bytes of the disk beyond those that jobs must leave; below 0 if there are fewer."""
        return self.on_disk() - self._limits.spare_bytes

    def left(self) -> int:
        """Bytes that jobs may still fill."""
        return max(0, min(self.above_spare(), self._limits.spool_bytes - self._index.used))

    def make(self, needed: int) -> None:
        """Makes room for so many bytes.

        Raises:
            NoSpaceError: there is none.
        """
        self._give_up(max(self._beyond(needed), needed - self._coming()))
        if self._beyond(needed) > 0:
            raise self._full(needed)
        if self._coming() < needed:
            free, wanted = self._coming() + self._limits.spare_bytes, needed + self._limits.spare_bytes
            raise not_enough_space(self._folder, free, wanted)

    def refusal(self) -> NoSpaceError | None:
        """Why what the index has just counted may not be kept, although all was given up that may be; else None."""
        self._give_up(self._beyond(0))
        return self._full(0) if self._beyond(0) > 0 else None

    def _beyond(self, needed: int) -> int:
        """Bytes by which the jobs would be above their limit with so many more."""
        return self._index.used + needed - self._limits.spool_bytes

    def _coming(self) -> int:
        """As `above_spare` when all is deleted that is being deleted."""
        return self.above_spare() + self._writer.freeing

    def _full(self, needed: int) -> NoSpaceError:
        return spool_is_full(self._folder, self._index.used, needed, self._limits.spool_bytes)

    def _give_up(self, needed: int) -> None:
        if needed > 0:
            for job in self._spare(needed):
                self._writer.drop(job)
