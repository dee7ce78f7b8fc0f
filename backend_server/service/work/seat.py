"""Holds the service's one worker: starts it, notices that it died or hangs, and replaces it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from backend_server.service.outcome import failed
from backend_server.service.settings import ServiceSettings
from backend_server.service.work.watchdog import Watchdog
from backend_server.service.work.worker_process import WorkerProcess
from shared.errors import ErrorCode
from shared.protocol import Failed, Welcome

LOG = logging.getLogger(__name__)

_LATE_MESSAGES_MILLISECONDS = 50  # messages of a dead worker may still arrive
_MOST_LATE_MESSAGES = 16
_STARTS_BEFORE_FAILURE = 4
_LONGEST_PAUSE = 30.0  # seconds between two tries to start a worker


class WorkerSeat:
    """The place of the worker.

    Args:
        settings: of the service.
        start_worker: starts a worker process.

    Attributes:
        worker: None while there is none.
        welcome: of the worker; None while it loads.
        load_failure: why there is no worker that can work; None if that is not known.
        watchdog: of the worker.
    """

    def __init__(self, settings: ServiceSettings, start_worker: Callable[[], WorkerProcess]) -> None:
        self._settings = settings
        self._start_worker = start_worker
        self._failed_starts = 0
        self._next_start = 0.0
        self.worker: WorkerProcess | None = None
        self.welcome: Welcome | None = None
        self.load_failure: Failed | None = None
        self.watchdog = Watchdog(settings)
        self.start()

    def start(self) -> None:
        """Starts a worker if there is none and the last try was long enough ago."""
        if self.worker is not None or time.monotonic() < self._next_start:
            return
        self.welcome = self.load_failure = None
        try:
            self.worker = self._start_worker()
        except Exception as error:
            self._failed_starts += 1
            pause = min(_LONGEST_PAUSE, 0.5 * 2**self._failed_starts)
            self._next_start = time.monotonic() + pause
            LOG.exception("no worker can be started; the next try is in %g s", pause)
            if self._failed_starts >= _STARTS_BEFORE_FAILURE:
                sentence = f"the worker process cannot be started ({error}); end other programs and try again"
                self.load_failure = failed(ErrorCode.WORKER_DIED, sentence)
            return
        self._failed_starts = 0
        self.watchdog = Watchdog(self._settings)
        LOG.info("worker %d started", self.worker.pid)

    def messages(self, most: int) -> Iterator[list[memoryview]]:
        """What the worker sent, at most so many messages."""
        for _ in range(most):
            parts = self.worker.receive() if self.worker is not None else None
            if parts is None:
                return
            yield parts

    def late_messages(self) -> Iterator[list[memoryview]]:
        """What a worker sent before it died."""
        for _ in range(_MOST_LATE_MESSAGES):
            if self.worker is None or not self.worker.socket.poll(_LATE_MESSAGES_MILLISECONDS):
                return
            yield from self.messages(1)

    def death(self) -> str | None:
        """Why the worker ended; None while it runs or when there is none."""
        return self.worker.death() if self.worker is not None else None

    def trouble(self, job: str, is_behind: bool) -> str | None:
        """Why a worker that runs must be replaced; None while all is well.

        Args:
            job: that the worker should do; empty if none.
            is_behind: the server does not take the worker's messages now.
        """
        if self.worker is None:
            return None
        for beat in self.worker.beats():
            self.watchdog.beat(beat, job)
        return self.watchdog.reason(self.welcome is None, bool(job), is_behind)

    def clear(self) -> None:
        """Ends the worker at once, if there is one."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None
        self.welcome = None
