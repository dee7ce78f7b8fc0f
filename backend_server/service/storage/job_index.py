"""Knows all jobs of a store in memory: which waits at which place, how much they take, and which may be purged."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend_server.service.storage.queue_file import JobOrigin, JobState, QueueRow
from shared.wire import Bytes


@dataclass(frozen=True)
class StoreLimits:
    """How much a store keeps.

    Attributes:
        spare_bytes: of free space that jobs must leave on the disk.
        spool_bytes: of all requests and results.
        longest_queue: jobs that have not ended.
        keep_seconds: how long delivered results stay.
        keep_undelivered_seconds: how long results stay that nobody fetched.
        grace_seconds: how long delivered results stay even when space is short.
        park_seconds: how long after a restart jobs wait for their clients before they run without them.
    """

    spare_bytes: int = 0
    spool_bytes: int = 2**62
    longest_queue: int = 2000
    keep_seconds: float = 7 * 24 * 3600.0
    keep_undelivered_seconds: float = 30 * 24 * 3600.0
    grace_seconds: float = 60.0
    park_seconds: float = 0.0


@dataclass(frozen=True)
class StoreUsage:
    """How much a store holds.

    Attributes:
        states: arriving, queued, running, ended -> number of jobs.
        queued: jobs that wait.
        used_bytes: of all requests and results.
        limit_bytes: that they may take.
        disk_free_bytes: that may be written to the disk.
    """

    states: dict[str, int]
    queued: int
    used_bytes: int
    limit_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True)
class JobRecord:
    """One job as the store knows it.

    Attributes:
        id: of the job.
        state: arriving, queued, running or ended.
        attempts: how often it was started.
        results: how many result messages are stored; they are numbered from 1.
    """

    id: str
    state: JobState
    attempts: int
    results: int


@dataclass(frozen=True)
class ListedJob:
    """One job as a list shows it.

    Attributes:
        id: of the job.
        state: arriving, queued, running or ended.
        is_parked: it is queued, and no client has asked for it since the restart.
        is_delivered: it has ended, and a client has got all its results.
        results: how many result messages are stored.
        size_bytes: of its request and results.
        origin: where it comes from.
    """

    id: str
    state: JobState
    is_parked: bool
    is_delivered: bool
    results: int
    size_bytes: int
    origin: JobOrigin


@dataclass(eq=False)
class Job:
    """One job.

    Attributes:
        row: what is stored of it.
        appended: results that were given to the store's thread.
        generation: of writes; a new one begins after a write failed.
        broken: the generation in which a write failed; what follows in it would leave a gap.
        is_ending: its last message was given to the store's thread.
        unstored_end: its last message, when the disk did not take it.
        is_parked: it waited before the restart, and no client has asked for it since; it comes after all others.
    """

    row: QueueRow
    appended: int = 0
    generation: int = 0
    broken: int = -1
    is_ending: bool = False
    unstored_end: list[Bytes] | None = None
    is_parked: bool = False


class JobIndex:
    """The jobs of a store.

    Args:
        rows: of the queue file.
    """

    def __init__(self, rows: list[QueueRow]) -> None:
        self._jobs: dict[str, Job] = {}
        self._waiting: list[tuple[bool, int, str]] = []  # parked jobs last, then by number
        self._last_number = max((row.number for row in rows), default=0)
        self.live = 0  # jobs that have not ended
        self.used = 0  # bytes of all jobs
        for row in rows:
            self._put(Job(row, appended=row.results, is_parked=row.state is JobState.QUEUED))
            if row.state is JobState.QUEUED:
                self.enter_queue(row)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def get(self, job: str) -> Job | None:
        """The job of that ID, if there is one."""
        return self._jobs.get(job)

    def __getitem__(self, job: str) -> Job:
        return self._jobs[job]

    def holds(self, job: Job) -> bool:
        """Whether a job has not been forgotten."""
        return self._jobs.get(job.row.id) is job

    def arrive(self, job: str, size: int, origin: JobOrigin) -> Job:
        """A new job, last in the order but not in the queue yet."""
        self._last_number += 1
        return self._put(Job(QueueRow(self._last_number, job, JobState.ARRIVING, size=size, origin=origin)))

    def forget(self, job: Job) -> None:
        """Takes a job out."""
        self.leave_queue(job.row)
        del self._jobs[job.row.id]
        self.used -= job.row.size
        if job.row.state is not JobState.ENDED:
            self.live -= 1

    def grow(self, job: Job, size: int) -> None:
        """Notes that a job takes so many bytes more, or less."""
        job.row.size += size
        self.used += size

    def end(self, job: Job, results: int, ended: float) -> None:
        """Notes that a job has ended with so many results."""
        if job.row.state is not JobState.ENDED:
            self.live -= 1
        job.row.results, job.row.state, job.row.ended = results, JobState.ENDED, ended

    def enter_queue(self, row: QueueRow) -> None:
        """Puts a job at its place in the queue."""
        row.state = JobState.QUEUED
        if self._place(row) is None:
            insort(self._waiting, self._key(row))

    def leave_queue(self, row: QueueRow) -> None:
        """Takes a job out of the queue if it waits there."""
        if (place := self._place(row)) is not None:
            del self._waiting[place]

    def unpark(self, job: str) -> None:
        """Gives a parked job its place back."""
        known = self._jobs.get(job)
        if known is None or not known.is_parked:
            return
        is_waiting = self._place(known.row) is not None
        self.leave_queue(known.row)
        known.is_parked = False
        if is_waiting:
            self.enter_queue(known.row)

    def queue(self) -> list[str]:
        """IDs of the queued jobs, the next one first."""
        return [job for _, _, job in self._waiting]

    def ended_jobs(self) -> list[ListedJob]:
        """The jobs that have ended and whose results are kept, in the order in which they came."""
        ended = [job for job in self if job.row.state is JobState.ENDED]
        return [_listed(job) for job in sorted(ended, key=lambda job: job.row.number)]

    def open_jobs(self) -> list[ListedJob]:
        """The jobs that have not ended: the one that runs, then the queued ones in order, then those that arrive."""
        places = {job: place for place, job in enumerate(self.queue())}
        states = {JobState.RUNNING: -1, JobState.ARRIVING: len(places)}
        found = [
            (states.get(job.row.state, places.get(job.row.id, -1)), job)
            for job in self
            if job.row.state is not JobState.ENDED and not job.is_ending
        ]
        return [_listed(job) for _, job in sorted(found, key=lambda entry: entry[0])]

    def states(self) -> dict[str, int]:
        """How many jobs are in each state."""
        counts = Counter(job.row.state.value for job in self._jobs.values())
        return {state.value: counts[state.value] for state in JobState}

    def next_job(self, may_be_parked: bool = True) -> str | None:
        """ID of the queued job that is next."""
        if not self._waiting or (self._waiting[0][0] and not may_be_parked):
            return None
        return self._waiting[0][2]

    def position(self, job: str) -> int | None:
        """How many queued jobs come before this one; None if it is not queued."""
        known = self._jobs.get(job)
        return None if known is None else self._place(known.row)

    def overdue(self, now: float, limits: StoreLimits, is_attached: Callable[[str], bool]) -> list[Job]:
        """Jobs whose results have been kept long enough."""
        return [
            job
            for job in self
            if job.row.state is JobState.ENDED
            and (
                now - (job.row.ended or 0.0) > limits.keep_undelivered_seconds
                if job.row.delivered is None
                else now - job.row.delivered > limits.keep_seconds
            )
            and not is_attached(job.row.id)
        ]

    def spare(self, needed: int, delivered_until: float, is_attached: Callable[[str], bool]) -> list[Job]:
        """Delivered jobs that take as many bytes as are needed, those that were delivered first before others.

        Args:
            needed: bytes; fewer come together when there are not so many.
            delivered_until: what was delivered later is not given up.
            is_attached: whether a client is being sent the results of a job.
        """
        ready = [
            (job.row.delivered, job.row.number, job)
            for job in self
            if job.row.delivered is not None and job.row.delivered <= delivered_until and not is_attached(job.row.id)
        ]
        chosen: list[Job] = []
        for _, _, job in sorted(ready, key=lambda entry: entry[:2]):
            if needed <= 0:
                break
            needed -= job.row.size
            chosen.append(job)
        return chosen

    def _put(self, job: Job) -> Job:
        self._jobs[job.row.id] = job
        self.used += job.row.size
        if job.row.state is not JobState.ENDED:
            self.live += 1
        return job

    def _place(self, row: QueueRow) -> int | None:
        place = bisect_left(self._waiting, self._key(row))
        return place if place < len(self._waiting) and self._waiting[place] == self._key(row) else None

    def _key(self, row: QueueRow) -> tuple[bool, int, str]:
        known = self._jobs.get(row.id)
        return known is not None and known.is_parked, row.number, row.id


def _listed(job: Job) -> ListedJob:
    row = job.row
    is_parked = job.is_parked and row.state is JobState.QUEUED
    return ListedJob(row.id, row.state, is_parked, row.delivered is not None, row.results, row.size, row.origin)
