"""Decides which job runs, and what happens when something goes wrong.

The scheduler owns the worker. It never waits: each `tick` handles what arrived, what died and what is overdue.
Results and ends of jobs go to the store, from which clients get them; progress goes to the clients directly.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from backend_server.service.settings import ServiceSettings
from backend_server.service.store import JobState, JobStore
from backend_server.service.worker_process import WorkerProcess
from shared import wire
from shared.errors import ErrorCode, MessageError, NoSpaceError
from shared.protocol import Accepted, Attach, Cancel, Cancelled, Done, Failed, Message, Progress, Welcome
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

_MESSAGES_PER_TICK = 16
_LATE_MESSAGES_MILLISECONDS = 50  # messages of a dead worker may still arrive
_RESULTS = frozenset({"LandmarkCurves", "TextureFrames", "Adapted"})


@dataclass
class _Running:
    job: str
    results: int
    cancelled_at: float | None = None
    is_answered: bool = False  # the client was told that it ended; the worker does not know yet


class Scheduler:
    """The queue of one service and its one worker.

    Args:
        store: queue and results.
        settings: of the service.
        start_worker: starts a worker process.
        tell: sends a message that is not stored to the clients that follow its job.
    """

    def __init__(
        self,
        store: JobStore,
        settings: ServiceSettings,
        start_worker: Callable[[], WorkerProcess],
        tell: Callable[[str, Message], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._start_worker = start_worker
        self._tell = tell
        self._running: _Running | None = None
        self._load_failure: Failed | None = None
        self.welcome: Welcome | None = None  # of the worker; None while it loads
        self.worker: WorkerProcess | None = None
        self._start()

    def close(self) -> None:
        """Ends the worker; its job stays in the store, and the next service runs it again."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def submit(self, job: str, request: Sequence[Bytes], needed_bytes: int) -> None:
        """Puts a new job into the queue.

        Raises:
            NoSpaceError: the disk has no room for it.
        """
        self._store.add(job, request, needed_bytes)
        self._tell(job, Accepted(job=job, position=self.position(job)))

    def position(self, job: str) -> int:
        """How many jobs come before this one; 0 for the one that runs or is next."""
        queue = self._store.queue()
        return queue.index(job) + (self._running is not None) if job in queue else 0

    def cancel(self, job: str) -> None:
        """Ends a job that waits or runs; one that ended already does not change."""
        running = self._running
        if running is not None and running.job == job:
            if running.cancelled_at is None and self.worker is not None:
                running.cancelled_at = time.monotonic()
                self.worker.send(wire.encode(Cancel(job=job)))
            return
        record = self._store.find(job)
        if record is not None and record.state is JobState.QUEUED:
            self._end(job, Cancelled())
            self._tell_positions()

    def finish(self, job: str, result: Message) -> None:
        """Answers a new job at once, without the worker, because its one result is known.

        Raises:
            NoSpaceError: the disk has no room for it.
        """
        self._store.add(job, (), 0)
        self._tell(job, Accepted(job=job, position=0))
        self._store.append(job, 1, wire.encode(msgspec.structs.replace(result, job=job, sequence=1)))
        self._end(job, Done())

    def tick(self) -> None:
        """Does what is due; must be called at least every 100 ms."""
        if self.worker is not None:
            self._listen(self.worker, _MESSAGES_PER_TICK)
            reason = self.worker.death()
            if reason is not None:
                self._handle_death(self.worker, reason)
        if self._running is not None and self._running.cancelled_at is not None:
            self._enforce_cancel(self._running, time.monotonic() - self._running.cancelled_at)
        self._dispatch()

    def _start(self) -> None:
        self.welcome = self._load_failure = None
        self.worker = self._start_worker()
        LOG.info("worker %d started", self.worker.pid)

    def _dispatch(self) -> None:
        if self._running is not None:
            return
        queue = self._store.queue()
        if not queue:
            return
        if self.worker is None:
            self._start()
        if self.worker is None or self.welcome is None:
            return
        job = queue[0]
        try:
            request = self._store.request(job)
        except MessageError as error:
            self._end(job, Failed(code=ErrorCode.INTERNAL, sentence=error.sentence))
            return
        record = self._store.find(job)
        results = record.results if record else 0
        if not self.worker.send(wire.encode(Attach(job=job, received=results))) or not self.worker.send([*request]):
            return
        self._store.begin(job)
        self._running = _Running(job, results)
        self._tell(job, Accepted(job=job, position=0))
        self._tell_positions()

    def _listen(self, worker: WorkerProcess, most: int) -> None:
        for _ in range(most):
            parts = worker.receive()
            if parts is None:
                return
            try:
                self._take(parts)
            except MessageError as error:
                LOG.error("the worker's message is damaged: %s", error)

    def _take(self, parts: list[bytes]) -> None:
        header = wire.read_header(parts)
        if header.type == "Welcome" or (header.type == "Failed" and not header.job):
            message = wire.decode(parts)
            if isinstance(message, Welcome):
                self.welcome = message
            elif isinstance(message, Failed):
                self._load_failure = message
            return
        running = self._running
        if running is None or header.job != running.job:
            return
        if header.type in _RESULTS:
            self._keep(running, header.sequence, parts)
            return
        message = wire.decode(parts)
        if isinstance(message, Progress):
            if running.cancelled_at is None:
                self._tell(running.job, message)
        elif isinstance(message, Done | Failed | Cancelled):
            self._end_running(message)

    def _keep(self, running: _Running, sequence: int, parts: list[bytes]) -> None:
        if running.cancelled_at is not None or sequence != running.results + 1:
            return
        try:
            self._store.append(running.job, sequence, parts)
        except NoSpaceError as error:
            self._end(running.job, Failed(code=error.code, sentence=error.sentence))
            running.is_answered = True
            self.cancel(running.job)
            return
        running.results = sequence

    def _enforce_cancel(self, running: _Running, seconds: float) -> None:
        """Ends a cancelled job in time, whatever the worker does."""
        if not running.is_answered and seconds >= self._settings.cancel_seconds:
            running.is_answered = True
            self._end(running.job, Cancelled())
        if seconds >= self._settings.cancel_seconds + self._settings.stuck_seconds and self.worker is not None:
            LOG.warning("worker %d did not stop job %s; it is replaced", self.worker.pid, running.job)
            self.worker.close()
            self._running = None
            self._start()

    def _handle_death(self, worker: WorkerProcess, reason: str) -> None:
        while worker.socket.poll(_LATE_MESSAGES_MILLISECONDS):
            self._listen(worker, 1)
        LOG.error("worker %d died: %s", worker.pid, reason)
        worker.close()
        self.worker = None
        running, was_ready = self._running, self.welcome is not None
        self._running = None
        if running is not None:
            self._retry(running, reason)
        elif not was_ready and (queue := self._store.queue()):
            self._end(queue[0], self._load_failure or _worker_died("while it was loading", reason))
        if was_ready:
            self._start()

    def _retry(self, running: _Running, reason: str) -> None:
        record = self._store.find(running.job)
        if running.is_answered or record is None:
            return
        if running.cancelled_at is not None:
            self._end(running.job, Cancelled())
        elif record.attempts < self._settings.worker_attempts:
            LOG.info("job %s is tried again", running.job)
            self._store.put_back(running.job)
        else:
            self._end(running.job, _worker_died("in the middle of this job", reason))

    def _end_running(self, message: Message) -> None:
        running, self._running = self._running, None
        if running is not None and not running.is_answered:
            self._end(running.job, Cancelled() if running.cancelled_at is not None else message)

    def _end(self, job: str, message: Message) -> None:
        record = self._store.find(job)
        sequence = (record.results if record else 0) + 1
        message = msgspec.structs.replace(message, job=job, sequence=sequence)
        try:
            self._store.append(job, sequence, wire.encode(message), is_last=True)
        except (NoSpaceError, sqlite3.Error):  # the disk is full: only connected clients are told
            LOG.exception("the end of job %s cannot be stored", job)
            self._tell(job, message)
            self._store.drop(job)

    def _tell_positions(self) -> None:
        for job in self._store.queue():
            self._tell(job, Accepted(job=job, position=self.position(job)))


def _worker_died(when: str, reason: str) -> Failed:
    sentence = f"the worker process died {when} ({reason}); if memory ran out, use a shorter strip or fewer images"
    return Failed(code=ErrorCode.WORKER_DIED, sentence=sentence)
