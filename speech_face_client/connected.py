"""Keeps one connection to a backend going: sends, receives, waits, cancels, and starts an ended backend again."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from ._shared import backend_keeper, backend_process, endpoint, errors, protocol
from .dealer import DealerLine
from .job import RenderJob
from .questions import Questions

CLOSE_SECONDS = 3.0  # for the backend to hear of the jobs that are cancelled; usually a hundredth of it

_Job = TypeVar("_Job", bound=RenderJob)


class Connected:
    """A connection to one backend, and the jobs that go on over it.

    Args:
        read_connection: where the backend is now.
        name: of this program; empty for one that is made of its file, process and machine.
        patience: seconds in which a connection that is lost must come back.
        process: the backend's, if it was started here.
        keeper: of that process.
    """

    def __init__(
        self,
        read_connection: Callable[[], endpoint.Connection],
        name: str,
        patience: float,
        process: backend_process.BackendProcess | None = None,
        keeper: backend_keeper.BackendKeeper | None = None,
    ) -> None:
        program = name or f"{Path(sys.argv[0]).name or 'python'}, process {os.getpid()} on {platform.node()}"
        self._line = DealerLine(read_connection, program)
        self._patience = patience
        self._process = process
        self._keeper = keeper
        self._jobs: dict[str, RenderJob] = {}
        self._questions = Questions(self._line, self.pump)
        self._waited = 0.0  # seconds for a lost connection
        self._looked = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancels the jobs that have not ended and ends the connection, and the backend if it was started here."""
        for job in self._jobs.values():
            job.give_up()
        self.await_cancels(CLOSE_SECONDS)
        self._line.close()
        if self._process is not None:
            self._process.stop()

    def pump(self, seconds: float) -> None:
        """Sends and receives once, and waits for what comes at most so many seconds; for `Job`.

        Raises:
            SpeechFaceError: the backend refuses this library, or has not answered for too long.
        """
        try:
            if self._keeper is not None:
                self._keeper.keep(self._line)
            messages = self._line.poll()
            self._check_patience()
            for job in self._jobs.values():
                job.step()
            for message in messages:
                self._take(message)
            self._jobs = {name: job for name, job in self._jobs.items() if not job.is_over}
            if not messages:
                self._line.wait(seconds)
        except errors.SpeechFaceError:
            raise
        except BaseException:  # Ctrl-C, perhaps between the arrival of a result and its being noted
            self._line.reconnect()
            raise

    def await_cancels(self, seconds: float) -> None:
        """Waits until the backend has ended what was cancelled, at most so many seconds; for `Job`."""
        deadline = time.monotonic() + seconds
        while self._line.has_open_cancels and time.monotonic() < deadline:
            try:
                self.pump(0.02)
            except errors.SpeechFaceError:
                return  # the line tells it again if it comes back

    def _check_patience(self) -> None:
        """Gives up a connection that does not come back; time in which nobody waited for it does not count."""
        now = time.monotonic()
        is_lost = not self._line.is_ready and self._line.welcome is not None
        self._waited = self._waited + min(now - self._looked, 1.0) if is_lost else 0.0
        self._looked = now
        if self._waited > self._patience:
            self._waited = 0.0  # whoever tries again has patience again
            self._line.check_patience(self._patience)

    def _begin(self, job: _Job) -> _Job:
        self._jobs[job.id] = job
        self.pump(0.0)
        return job

    def _take(self, message: protocol.Message) -> None:
        self._questions.take(message)
        for job in self._jobs.values():
            job.take(message)

    def _begun(self, timeout: float) -> Self:
        """This backend once it has answered; closed if it does not in time."""
        try:
            while not self._line.is_ready:
                self.pump(0.02)
                self._line.check_patience(timeout)
        except BaseException:
            self.close()
            raise
        return self
