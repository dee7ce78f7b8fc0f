"""Decides which job runs, and what happens when something goes wrong.

The scheduler owns the worker. It never waits: each `tick` handles what arrived, what died and what is overdue.
Results and ends of jobs go to the store, from which clients get them; progress goes to the clients directly. A job ends
complete, or is tried again from what is stored, or fails with a reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from backend_server.service.outcome import failure, worker_died
from backend_server.service.positions import Positions
from backend_server.service.settings import ServiceSettings
from backend_server.service.storage.queue_file import NO_ORIGIN, JobOrigin
from backend_server.service.storage.store import JobStore
from backend_server.service.tally import Tally
from backend_server.service.work.expectation import Expectation, expectation
from backend_server.service.work.seat import WorkerSeat
from backend_server.service.work.worker_process import WorkerProcess
from shared import wire
from shared.errors import ErrorCode, MessageError, SpeechFaceError
from shared.protocol import Accepted, Attach, Cancel, Cancelled, Done, Failed, Message, Progress, Welcome
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

_MESSAGES_PER_TICK = 16
_RESULTS = {"Adapted", "LandmarkCurves", "MeshLandmarks", "PhotoLandmarks", "RigCurves", "SpokenWords", "TextureFrames"}


@dataclass
class _Running:
    job: str
    expected: Expectation
    cancelled_at: float | None = None
    is_answered: bool = False  # the client was told that it ended; the worker does not know yet
    loss: str | None = None  # what was lost between worker and server
    progress: Progress | None = None  # the last that was reported


class Scheduler:
    """The queue of one service and its one worker.

    Args:
        store: queue and results.
        settings: of the service.
        start_worker: starts a worker process.
        tell: sends a message that is not stored to the clients that follow its job.

    Attributes:
        tally: how jobs ended.
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
        self._tell = tell
        self._positions = Positions(store.queue, tell)
        self._running: _Running | None = None
        self._loading_deaths = 0  # of workers, one after the other
        self._refused_since: float | None = None  # since when the worker takes no job
        self.tally = Tally()
        store.on_fault, store.on_ended = self._fail, self.tally.note_end
        self._seat = WorkerSeat(settings, start_worker)

    @property
    def welcome(self) -> Welcome | None:
        """Of the worker; None while it loads."""
        return self._seat.welcome

    @property
    def worker(self) -> WorkerProcess | None:
        """The worker; None while there is none."""
        return self._seat.worker

    @property
    def running(self) -> tuple[str, Progress | None]:
        """ID of the job that runs, empty if none does, and its last progress report."""
        return (self._running.job, self._running.progress) if self._running is not None else ("", None)

    @property
    def load_failure(self) -> Failed | None:
        """Why there is no worker that can work; None if that is not known."""
        return self._seat.load_failure

    def close(self) -> None:
        """Ends the worker; its job stays in the store, and the next service runs it again."""
        self._seat.clear()

    def submit(
        self, job: str, request: Sequence[Bytes], needed_bytes: int, parent: str = "", origin: JobOrigin = NO_ORIGIN
    ) -> None:
        """Puts a new job into the queue; its clients are told when it is stored, or why it cannot be.

        Args:
            job: a new ID.
            request: its message.
            needed_bytes: how much space its results will need.
            parent: ID of the message.
            origin: where the job comes from.

        Raises:
            NoSpaceError: the disk has no room for it.
            SpeechFaceError: the queue is too long.
        """

        def then(error: SpeechFaceError | None) -> None:
            if error is None:
                self._tell(job, Accepted(job=job, position=self.position(job)))
            else:
                self.tally.forget(job)
                self._tell(job, failure(error, job=job, parent=parent))

        self._store.add(job, request, needed_bytes, then, origin)

    def position(self, job: str) -> int:
        """How many jobs come before this one; 0 for the one that runs or is next."""
        place = self._store.position(job)
        return 0 if place is None else place + (self._running is not None)

    def cancel(self, job: str) -> None:
        """Ends a job that waits or runs; one that ended already does not change."""
        running = self._running
        if running is not None and running.job == job:
            if running.cancelled_at is None and self.worker is not None:
                running.cancelled_at = time.monotonic()
                self.worker.send(wire.encode(Cancel(job=job)))
            return
        self._end(job, Cancelled())
        self._positions.change()

    def finish(
        self, job: str, request: Sequence[Bytes], result: Message, parent: str = "", origin: JobOrigin = NO_ORIGIN
    ) -> None:
        """Answers a new job at once, as its one result is known; if that cannot be stored in time, the worker does it.

        Raises:
            SpeechFaceError: as `submit`.
        """
        answer = wire.encode(msgspec.structs.replace(result, job=job, sequence=1))
        self.submit(job, request, 0, parent, origin)
        self._store.append(job, answer)
        self._end(job, Done())

    def tick(self) -> None:
        """Does what is due; must be called at least every 100 ms."""
        try:
            self._listen()
            self._watch()
            if self._running is not None and self._running.cancelled_at is not None:
                self._enforce_cancel(self._running, time.monotonic() - self._running.cancelled_at)
        except Exception as error:  # it costs the job that runs, and nothing else
            LOG.exception("the scheduler met an unexpected error")
            self._fail_running(error)
        if self._running is None and (job := self._store.next_job()) is not None:
            try:
                self._dispatch(job)
            except Exception as error:
                LOG.exception("job %s cannot be started", job)
                self._end(job, failure(error))
        self._positions.tell_some(1 if self._running is not None else 0)

    def _dispatch(self, job: str) -> None:
        self._seat.start()
        if self.worker is None and self._seat.load_failure is not None:
            self._end(job, self._seat.load_failure)
            return
        if self.worker is None or self.welcome is None or self._refuses():
            return
        request = self._store.request(job)
        if request is None:
            return
        expected = expectation(request)
        attach = wire.encode(Attach(job=job, received=self._store.appended(job)))
        if not self.worker.send(attach) or not self.worker.send([*request]):
            self._refused_since = self._refused_since or time.monotonic()
            return
        self._refused_since = None
        self._store.begin(job)
        self._running = _Running(job, expected)
        self._seat.watchdog.begin()
        self._tell(job, Accepted(job=job, position=0))
        self._positions.change()

    def _refuses(self) -> bool:
        """Replaces a worker that has taken no job for too long."""
        since = self._refused_since
        if since is None or time.monotonic() - since < self._settings.lost_seconds:
            return False
        self._refused_since = None
        self._replace("it takes no job")
        return True

    def _listen(self) -> None:
        if not self._store.is_behind:
            self._take_all(self._seat.messages(_MESSAGES_PER_TICK))

    def _take_all(self, messages: Iterable[Sequence[Bytes]]) -> None:
        for parts in messages:
            try:
                self._take(parts)
            except MessageError as error:
                LOG.error("the worker's message is damaged: %s", error)
                self._note_loss(f"a message was damaged: {error.sentence}")

    def _take(self, parts: Sequence[Bytes]) -> None:
        header = wire.read_header(parts)
        if header.type == "Welcome" or (header.type == "Failed" and not header.job):
            message = wire.decode(parts)
            if isinstance(message, Welcome):
                self._seat.welcome, self._loading_deaths = message, 0
            elif isinstance(message, Failed):
                self._seat.load_failure = message
            return
        running = self._running
        if running is None or header.job != running.job:
            return
        if header.type in _RESULTS:
            self._seat.watchdog.progress()
            self._keep(running, header.sequence, parts)
            return
        message = wire.decode(parts)
        if isinstance(message, Progress):
            self._seat.watchdog.progress(message.stage)
            running.progress = message
            if running.cancelled_at is None:
                self._tell(running.job, message)
        elif isinstance(message, Done | Failed | Cancelled):
            self._end_running(running, message)

    def _keep(self, running: _Running, sequence: int, parts: Sequence[Bytes]) -> None:
        if running.cancelled_at is not None or running.loss is not None:
            return
        wanted = self._store.appended(running.job) + 1
        if sequence == wanted:
            self._store.append(running.job, parts)
        elif sequence > wanted:
            self._note_loss(f"result {sequence} arrived after result {wanted - 1}")

    def _note_loss(self, loss: str) -> None:
        running = self._running
        if running is not None and running.loss is None and running.cancelled_at is None:
            running.loss = loss

    def _end_running(self, running: _Running, message: Message) -> None:
        is_wanted = running.cancelled_at is None and not running.is_answered
        if isinstance(message, Done) and is_wanted:
            running.loss = running.loss or running.expected.lack(message, self._store.appended(running.job))
        if running.loss is not None:
            return  # `_watch` tries the job again
        self._running = None
        if not running.is_answered:
            self._end(running.job, message if is_wanted else Cancelled())
        if isinstance(message, Failed) and message.code is ErrorCode.OUT_OF_MEMORY:
            LOG.warning("the worker ran out of memory; it is replaced")
            self._seat.clear()
            self._seat.start()

    def _watch(self) -> None:
        """Replaces a worker that died, hangs or lost something; its job is tried again."""
        reason = self._seat.death()
        if reason is not None:
            self._take_all(self._seat.late_messages())
            self._replace(reason)
            return
        running = self._running
        job = running.job if running is not None else ""
        trouble = (running and running.loss) or self._seat.trouble(job, self._store.is_behind)
        if trouble is not None:
            self._replace(trouble)

    def _replace(self, reason: str) -> None:
        running, self._running = self._running, None
        was_ready = self.welcome is not None
        LOG.error("worker %d is replaced: %s", self.worker.pid if self.worker else 0, reason)
        self._seat.clear()
        if running is not None:
            self._retry(running, reason)
        elif not was_ready:
            self._fail_after_loading(reason)
        if was_ready:
            self._seat.start()

    def _fail_after_loading(self, reason: str) -> None:
        """Ends the job that waits for a worker that said why it cannot load, or that died more than once."""
        self._loading_deaths += 1
        job = self._store.next_job()
        if self._seat.load_failure is None and self._loading_deaths < self._settings.worker_attempts:
            return
        self._loading_deaths = 0
        if job is not None:
            self._end(job, self._seat.load_failure or worker_died("while it was loading", reason))

    def _retry(self, running: _Running, reason: str) -> None:
        record = self._store.find(running.job)
        if running.is_answered or record is None:
            return
        if running.cancelled_at is not None:
            self._end(running.job, Cancelled())
        elif record.attempts < self._settings.worker_attempts:
            LOG.info("job %s is tried again", running.job)
            self._store.put_back(running.job)
            self.tally.note_retry()
            self._positions.change()
        else:
            self._end(running.job, worker_died("in the middle of this job", reason))

    def _enforce_cancel(self, running: _Running, seconds: float) -> None:
        """Ends a cancelled job in time, whatever the worker does."""
        if not running.is_answered and seconds >= self._settings.cancel_seconds:
            running.is_answered = True
            self._end(running.job, Cancelled())
        if seconds >= self._settings.cancel_seconds + self._settings.stuck_seconds:
            self._replace(f"it did not stop job {running.job}")

    def _fail(self, job: str, error: SpeechFaceError) -> None:
        """Ends a job whose results cannot be stored."""
        self._end(job, failure(error))
        running = self._running
        if running is not None and running.job == job:
            running.is_answered = True
            self.cancel(job)

    def _fail_running(self, error: Exception) -> None:
        running, self._running = self._running, None
        if running is not None:
            if not running.is_answered:
                self._end(running.job, failure(error))
            self._seat.clear()
        self._seat.start()

    def _end(self, job: str, message: Message) -> None:
        if not self._store.is_ending(job):
            self.tally.expect(job, message)
        self._store.end(
            job, lambda sequence: wire.encode(msgspec.structs.replace(message, job=job, sequence=sequence, parent=""))
        )
