"""Shows the server that the worker lives, and what it does; a thread of the worker sends it.

The pulse has a socket of its own, so it beats while the worker computes, waits, or sends a large result.
"""

from __future__ import annotations

import threading
import time

import msgspec
import zmq

BEAT_SECONDS = 0.25


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of life.

    Attributes:
        job: that the worker does; empty while it waits for one.
        waiting_seconds: for how long it has been waiting for the server to take a message; 0 if it is not.
    """

    job: str
    waiting_seconds: float


class Pulse:
    """Beats until the process ends.

    Args:
        context: of the worker's sockets.
        address: of the server's side.
        password: of the worker.

    Attributes:
        job: that the worker does; empty while it waits for one.
    """

    def __init__(self, context: zmq.Context, address: str, password: str) -> None:
        self.job = ""
        self._waits_since: float | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(context, address, password), daemon=True)
        self._thread.start()

    def begin_sending(self) -> None:
        """Notes that the worker waits for the server to take a message."""
        self._waits_since = time.monotonic()

    def end_sending(self) -> None:
        """Notes that the server took it."""
        self._waits_since = None

    def stop(self) -> None:
        """Ends the thread."""
        self._end.set()
        self._thread.join()

    def _run(self, context: zmq.Context, address: str, password: str) -> None:
        socket = context.socket(zmq.PUSH)
        socket.linger = 0
        socket.sndhwm = 2
        socket.plain_username = b"worker"
        socket.plain_password = password.encode()
        socket.connect(address)
        while not self._end.wait(BEAT_SECONDS):
            since = self._waits_since
            beat = Beat(job=self.job, waiting_seconds=0.0 if since is None else time.monotonic() - since)
            try:
                socket.send(msgspec.json.encode(beat), zmq.NOBLOCK)
            except zmq.Again:  # the server is slow; the next beat says the same
                continue
        socket.close()
