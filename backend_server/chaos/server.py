"""Starts, orders about and ends the real server that is put to the test."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

import backend_server
from backend_server.chaos.child import ChildConfig, Order
from backend_server.chaos.light_cascade import CASCADE
from backend_server.chaos.waiting import wait_until
from backend_server.processes import is_alive
from shared.endpoint import Connection, read_connection_file
from shared.errors import ConnectionFileError, SpeechFaceError

START_SECONDS = 30.0
END_SECONDS = 10.0
ORDER_SECONDS = 5.0
WORKER_MODULE = "backend_server.service.work.worker"


def python_path() -> str:
    """Where children find this package, for their environment."""
    root = str(Path(backend_server.__file__).parents[1])
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))


class ChaosServer:
    """One server process with its worker; used in a `with` block, which leaves no process behind.

    Args:
        folder: of this server alone; created if missing.
        small_disk_bytes: the data folder becomes a disk of this size; 0: it stays an ordinary folder.
        variables: of the environment, besides those of this process.
        settings: fields of `ServiceSettings`, besides the folders and the cascade.
    """

    def __init__(
        self,
        folder: Path,
        *,
        small_disk_bytes: int = 0,
        variables: Mapping[str, str] | None = None,
        settings: Mapping[str, float] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "data"
        self.connection_file = folder / "run" / "connection.json"
        self._errors = folder / "errors.txt"
        self._config = ChildConfig(
            settings={
                "connection_file": str(self.connection_file),
                "data_dir": str(self.data_dir),
                "cascade": CASCADE,
                "device": "cpu",
                "spare_bytes": 0,
                **(settings or {}),
            },
            small_disk_bytes=small_disk_bytes,
        )
        self._variables = dict(variables or {})
        self._family: set[psutil.Process] = set()  # every worker that was ever seen
        self._process: subprocess.Popen[bytes] | None = None
        self.left_over = 0  # processes that outlived their server

    def __enter__(self) -> ChaosServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends everything at once, so that the command can be stopped quickly."""
        self.worker()
        for worker in self._family:
            if is_alive(worker):
                worker.kill()
        if self._process is not None:
            self._process.kill()
            self._reap()

    @property
    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid if self._process else 0

    @property
    def last_words(self) -> str:
        """The last line of the server's errors."""
        lines = self._errors.read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def connection(self) -> Connection:
        """Address and keys.

        Raises:
            ConnectionFileError: there is no server now.
        """
        return read_connection_file(self.connection_file)

    def start(self) -> None:
        """Starts the server and waits until it listens.

        Raises:
            SpeechFaceError: it does not start.
        """
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend_server.chaos.child", msgspec.json.encode(self._config).decode()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **self._variables, "PYTHONPATH": python_path()},
                start_new_session=True,  # Ctrl-C reaches the command alone, which ends the server
            )
        wait_until(lambda: self._listens() or not self.is_alive, START_SECONDS)
        if not self._listens():
            raise SpeechFaceError(f"the server of the fault runs does not start ({self.last_words})")

    def worker(self) -> psutil.Process | None:
        """The worker that runs now; None between two."""
        try:
            children = psutil.Process(self.pid).children()
            workers = [child for child in children if WORKER_MODULE in child.cmdline()]
        except psutil.Error:
            return None
        self._family.update(workers)
        return workers[-1] if workers else None

    def order(self, order: Order) -> bool:
        """Lets the server's process suffer something; False when it did not obey in time."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return False
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.flush()
        except OSError:
            return False
        readable, _, _ = select.select([process.stdout], [], [], ORDER_SECONDS)
        return bool(readable) and process.stdout.readline() == b"\n"

    @property
    def job_dir(self) -> Path:
        """Where the server keeps queue and results."""
        return self.data_dir / "jobs"

    def kill(self) -> None:
        """Ends the server as a crash does; counts workers that outlive it."""
        if self._process is not None:
            self.worker()
            self._process.kill()
            self._reap()

    def terminate(self) -> bool:
        """Ends the server as the system does; False when it had to be killed."""
        if self._process is None:
            return True
        self.worker()
        self._process.terminate()
        ended = wait_until(lambda: not self.is_alive, END_SECONDS)
        self._process.kill()
        self._reap()
        return ended

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # an order that it did not read any more
                    pipe.close()
        if not wait_until(lambda: not any(is_alive(worker) for worker in self._family), END_SECONDS):
            self.left_over += sum(is_alive(worker) for worker in self._family)
        for worker in self._family:
            if is_alive(worker):
                worker.kill()
        self._family.clear()

    def _listens(self) -> bool:
        try:
            return self.connection().pid == self.pid
        except ConnectionFileError:
            return False
