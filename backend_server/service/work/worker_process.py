"""Starts the worker, talks to it, and notices when it died.

The worker is a child process that connects back over loopback with its own password. It gets the password on its
standard input, which stays open: when the server dies, the input ends, and so does the worker.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import zmq

import backend_server
from backend_server.service.access.security import Gate, bind
from backend_server.service.settings import ServiceSettings
from backend_server.service.work.pulse import Beat
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

OUT_OF_MEMORY_STATUS = 71  # of a worker that ended because it had no memory
_KILLED_SECONDS = 1.0
BUFFERED_MESSAGES = 4  # a fast worker waits for the server, so memory is bounded


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of the worker's standard input."""

    address: str
    pulse_address: str
    password: str
    device: str
    cascade: str
    identity_dir: str
    log_file: str
    is_stderr_kept: bool


class WorkerProcess:
    """One running worker.

    Args:
        context: of the server's sockets.
        gate: guards the worker's socket.
        settings: of the service.
    """

    def __init__(self, context: zmq.Context, gate: Gate, settings: ServiceSettings) -> None:
        self.socket = context.socket(zmq.PAIR)
        self.socket.linger = 0
        self.socket.rcvhwm = self.socket.sndhwm = BUFFERED_MESSAGES
        self._pulse = context.socket(zmq.PULL)
        self._pulse.linger = 0
        password = gate.guard_worker(self.socket, self._pulse)
        try:
            self._process = self._start(settings, password)
        except BaseException:
            self.socket.close()
            self._pulse.close()
            raise

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self._process.pid

    def send(self, parts: list[Bytes]) -> bool:
        """Sends a message; False when the worker does not take it."""
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[memoryview] | None:
        """The next message of the worker, None if there is none."""
        try:
            return [frame.buffer for frame in self.socket.recv_multipart(zmq.NOBLOCK, copy=False)]
        except zmq.Again:
            return None

    def beats(self) -> Iterator[Beat]:
        """The signs of life since the last call."""
        while True:
            try:
                yield msgspec.json.decode(self._pulse.recv(zmq.NOBLOCK), type=Beat)
            except zmq.Again:
                return

    def death(self) -> str | None:
        """Why the worker ended; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        if status == OUT_OF_MEMORY_STATUS:
            return "it ran out of memory"
        if status >= 0:
            return f"it ended with status {status}"
        try:
            return f"it was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"it was ended by signal {-status}"

    def close(self) -> None:
        """Ends the worker at once."""
        if self._process.poll() is None:
            self._process.kill()
        try:
            self._process.wait(_KILLED_SECONDS)
        except subprocess.TimeoutExpired:  # the system holds it; it will end when it can
            LOG.warning("worker %d was killed but has not ended yet", self.pid)
        if self._process.stdin:
            self._process.stdin.close()
        self.socket.close()
        self._pulse.close()

    def _start(self, settings: ServiceSettings, password: str) -> subprocess.Popen[bytes]:
        config = WorkerConfig(
            address=bind(self.socket, "127.0.0.1"),
            pulse_address=bind(self._pulse, "127.0.0.1"),
            password=password,
            device=settings.device,
            cascade=settings.cascade,
            identity_dir=str(settings.identity_dir),
            log_file=str(settings.data_dir / "worker.log"),
            is_stderr_kept=settings.parent_pid is not None,
        )
        root = str(Path(backend_server.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-m", "backend_server.service.work.worker"],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        _write_config(process, config)
        return process


def _write_config(process: subprocess.Popen[bytes], config: WorkerConfig) -> None:
    stdin = process.stdin
    if stdin is None:
        return
    try:
        stdin.write(msgspec.json.encode(config) + b"\n")
        stdin.flush()
    except BrokenPipeError:  # it is dead already; `death` tells why
        return
