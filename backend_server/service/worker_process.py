"""Starts the worker, talks to it, and notices when it died.

The worker is a child process that connects back over loopback with its own password. It gets the password on its
standard input, which stays open: when the server dies, the input ends, and so does the worker.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import zmq

import backend_server
from backend_server.service.security import Gate, bind
from backend_server.service.settings import ServiceSettings
from shared.wire import Bytes

BUFFERED_MESSAGES = 4  # a fast worker waits for the server, so memory is bounded


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of the worker's standard input."""

    address: str
    password: str
    device: str
    cascade: str
    identity_dir: str
    log_file: str


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
        password = gate.guard_worker(self.socket)
        config = WorkerConfig(
            address=bind(self.socket, "127.0.0.1"),
            password=password,
            device=settings.device,
            cascade=settings.cascade,
            identity_dir=str(settings.identity_dir),
            log_file=str(settings.data_dir / "worker.log"),
        )
        root = str(Path(backend_server.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend_server.service.worker"],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._write_config(config)

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self._process.pid

    def send(self, parts: list[Bytes]) -> bool:
        """Sends a message; False when the worker does not take it."""
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes] | None:
        """The next message of the worker, None if there is none."""
        try:
            return self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def death(self) -> str | None:
        """Why the worker ended; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
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
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self.socket.close()

    def _write_config(self, config: WorkerConfig) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            stdin.write(msgspec.json.encode(config) + b"\n")
            stdin.flush()
        except BrokenPipeError:  # it is dead already; `death` tells why
            return
