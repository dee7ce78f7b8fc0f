"""Starts, watches and stops the backend.

`PYTHON -m backend_server serve --connection-file F --parent-pid PID` runs in its own process with its own Python: it
can be slow, use much memory or crash, and the program that started it goes on. Only `stop` waits.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from . import endpoint, environments, errors

_LOG_TAIL_BYTES = 4000
_STOP_SECONDS = 5.0
_LOGS = re.compile(r"backend-\d+(-\d+)?\.log")
# "error: ..." of our commands, "... ERROR ..." of their log, the end of a traceback, words of Python and the loader
_FAILURE = re.compile(
    r"error: |(\S+ )?\d\d:\d\d:\d\d\S* (ERROR|CRITICAL)\b|(ERROR|CRITICAL)\b|[A-Za-z_][\w.]*(Error|Exception)\b|Fatal |"
    r"Segmentation fault|\S+: (No module named|can't open file|error while loading)|Killed\b"
)
_IGNORED = re.compile(r"Exception ignored|resource_tracker|BrokenPipeError|KeyboardInterrupt")
_KEPT_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class BackendCommand:
    """How the backend is started.

    Attributes:
        python: its Python.
        folder: working directory, in which `backend_server` lies unless it is installed into that Python.
        device: "cpu", "cuda:0", or empty for the backend's own choice.
        options: further arguments of `serve`.
    """

    python: Path
    folder: Path
    device: str = ""
    options: tuple[str, ...] = field(default=())


class BackendProcess:
    """One backend that belongs to this program, and ends with it.

    While the backend of another program uses the data folder, that one is shared: the process ends with code 0 and
    leaves its connection.

    Args:
        command: what to run.
        folder: for the connection file and the log; made when missing. Logs that were not
            written to for a week are deleted from it.
        number: tells several of one program apart; 0 where there is one only.
    """

    def __init__(self, command: BackendCommand, folder: Path, number: int = 0) -> None:
        self.command = command
        name = f"{os.getpid()}-{number}" if number else str(os.getpid())
        self.connection_file = folder / f"connection-{name}.json"
        self.log_file = folder / f"backend-{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._has_served = False

    @property
    def is_running(self) -> bool:
        """Whether the process runs; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_shared(self) -> bool:
        """Whether the process has ended and left the connection of another backend, which uses its data folder."""
        return self._process is not None and self._process.poll() == 0 and self.connection_file.exists()

    @property
    def pid(self) -> int | None:
        """The process ID while it runs."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def has_served(self) -> bool:
        """Whether the process, which may have ended, came as far as its connection file."""
        if not self._has_served and self._process is not None:
            self._has_served = self.connection_file.exists()
        return self._has_served

    def start(self, again_because: str = "") -> None:
        """Starts the process and returns at once.

        Args:
            again_because: why it is started again; the log then goes on, with this reason.

        Raises:
            SpeechFaceError: it cannot be started.
        """
        if self.is_running:
            return
        command = self.command
        arguments = [str(command.python), "-m", "backend_server", "serve"]
        arguments += ["--connection-file", str(self.connection_file), "--parent-pid", str(os.getpid()), "--share"]
        if command.device:
            arguments += ["--device", command.device]
        try:
            self.connection_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.connection_file.unlink(missing_ok=True)
            self._has_served = False
            _sweep_logs(self.log_file.parent)
            with self.log_file.open("ab" if again_because else "wb") as log:
                if again_because:
                    log.write(f"\nThe backend is started again: {again_because}.\n".encode())
                    log.flush()
                self._process = self._spawn([*arguments, *command.options], log)
        except OSError as error:
            raise errors.SpeechFaceError(
                f"the backend's Python {command.python} cannot be started ({error.strerror}); name another"
            ) from error

    def _spawn(self, arguments: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if key not in environments.PARENTS_OWN}
        return subprocess.Popen(
            arguments,
            cwd=self.command.folder,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
        )

    def connection(self) -> endpoint.Connection:
        """The connection to this backend.

        Raises:
            ConnectionFileError: it has not written its connection file yet.
        """
        connection = endpoint.read_connection_file(self.connection_file)
        self._has_served = True
        return connection

    def check(self) -> None:
        """Checks that the process still runs.

        Raises:
            SpeechFaceError: it has ended; the sentence has the last line of its log.
        """
        if reason := self.end_reason():
            raise errors.SpeechFaceError(
                f"the backend {reason}; its log is {self.log_file}",
                code=errors.ErrorCode.BACKEND_UNREACHABLE,
                detail=self.log_tail(),
            )

    def end_reason(self) -> str:
        """With which code and last words the process ended; empty while it runs or shares, and before it started."""
        if self._process is None or (code := self._process.poll()) is None or self.is_shared:
            return ""
        return f"ended with code {code} ({last_words(self.log_tail())})"

    def log_tail(self) -> str:
        """The end of the backend's log; empty when there is none."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, self.log_file.stat().st_size - _LOG_TAIL_BYTES))
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    def stop(self) -> None:
        """Asks the process to end, and kills it if it still runs after a few seconds."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        self.connection_file.unlink(missing_ok=True)


def last_words(log: str) -> str:
    """The line of a log that most likely says why its program ended.

    That is the last one that names an error; what libraries warn of, and what follows an error when a program ends,
    says nothing. Without an error it is the last line.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        if _FAILURE.match(line) and not _IGNORED.search(line):
            return line
    return lines[-1] if lines else "its log is empty"


def _sweep_logs(folder: Path) -> None:
    """Deletes logs of backends that have not been written to for a week."""
    limit = time.time() - _KEPT_SECONDS
    for path in folder.iterdir():
        with suppress(OSError):  # another program sweeps too, or still has it open
            if _LOGS.fullmatch(path.name) and path.stat().st_mtime < limit:
                path.unlink()
