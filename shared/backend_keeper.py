"""Keeps a backend that belongs to this program within reach of its connection, also after it has ended."""

from __future__ import annotations

import time

from . import endpoint, errors
from .backend_process import BackendProcess
from .line import Line

_MOST_RESTARTS = 2  # until `forgive`
_LOOK_SECONDS = 5.0  # between looks for the backend that takes the place of a shared one


class BackendKeeper:
    """Starts a backend again that has ended, so that jobs can go on.

    Args:
        process: the backend, or what found another program's backend to share.
    """

    def __init__(self, process: BackendProcess) -> None:
        self._process = process
        self._restarts = 0
        self._given: endpoint.Connection | None = None  # to the line
        self._next_look = 0.0

    def connection(self) -> endpoint.Connection:
        """The connection to the backend.

        Raises:
            ConnectionFileError: it has not written its connection file yet.
        """
        self._given = self._process.connection()
        return self._given

    def forgive(self) -> None:
        """Begins to count anew how often the backend was started again."""
        self._restarts = 0

    def keep(self, line: Line | None) -> None:
        """Starts the backend again if it has ended, twice at most, and lets the line connect to it.

        Raises:
            SpeechFaceError: it could not start, or it ended once more.
        """
        process = self._process
        if line is not None and not line.is_ready:
            self._keep_shared(line)
        if not (reason := process.end_reason()):
            return
        if not process.has_served:
            process.check()
        if self._restarts == _MOST_RESTARTS:
            raise errors.SpeechFaceError(
                f"the backend was started again {self._restarts} times and still {reason}; "
                f"its log is {process.log_file}",
                code=errors.ErrorCode.BACKEND_UNREACHABLE,
                detail=process.log_tail(),
            )
        self._restarts += 1
        process.start(again_because=f"it {reason}")
        if line is not None:
            line.reconnect()

    def _keep_shared(self, line: Line) -> None:
        """Looks for what takes the place of a shared backend that no longer answers: our own, or another to share."""
        try:
            if self._given not in (None, self._process.connection()):
                line.reconnect()
        except errors.ConnectionFileError:
            return  # it is starting
        is_lost = line.welcome is not None or line.seconds_unready > _LOOK_SECONDS
        if self._process.is_shared and is_lost and time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            self._process.start(again_because="the backend that it shared does not answer")
