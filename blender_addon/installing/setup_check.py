"""Checks the backend that is chosen without starting it: what is installed, what is missing, what to do. No bpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .._shared import backend_process, endpoint, errors
from .child_process import ChildProcess, tail

_STATES = ("ok", "warn", "fail")
_WAIT_SECONDS = 0.1


@dataclass(frozen=True)
class Finding:
    """One part that was checked.

    Attributes:
        name: of the part.
        state: "ok", "warn", or "fail" when the backend cannot work without it.
        what: what was found.
        advice: what to do; empty when there is nothing to do.
    """

    name: str
    state: str
    what: str
    advice: str = ""


class SetupCheck:
    """`python -m backend_server doctor --json` in the backend's Python, or a look at a connection file.

    Args:
        command: how the backend is started; None for one that runs elsewhere.
        connection_file: of that one.
        log: gets the child process's output.

    Attributes:
        findings: what was found, once `is_over`.
        devices: that the networks can run on, once `is_over`.
    """

    def __init__(self, command: backend_process.BackendCommand | None, connection_file: str, log: Path) -> None:
        self.findings: list[Finding] = []
        self.devices: list[str] = []
        self._log = log
        self._child: ChildProcess | None = None
        if command is None:
            self.findings.append(_connection(Path(connection_file)))
            return
        try:
            log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            log.write_bytes(b"")
            self._child = ChildProcess(
                [str(command.python), "-m", "backend_server", "doctor", "--json"], log, command.folder
            )
        except (OSError, errors.SpeechFaceError) as error:
            self._fail(error.sentence if isinstance(error, errors.SpeechFaceError) else str(error))

    @classmethod
    def that_found(cls, output: str) -> SetupCheck:
        """A check that is over, from what `doctor --json` has written."""
        check = cls.__new__(cls)
        check.findings, check.devices, check._child = [], [], None
        check._read(output, 0)
        return check

    @property
    def is_over(self) -> bool:
        """Whether the findings are there."""
        return self._child is None

    def tick(self) -> None:
        """Looks whether the child process has ended, and reads what it found."""
        if self._child is None or (code := self._child.poll()) is None:
            return
        self._child = None
        self._read(tail(self._log), code)

    def run_until_done(self) -> None:
        """Waits for the findings, for scripts."""
        while self._child is not None:
            self._child.wait(_WAIT_SECONDS)
            self.tick()

    def cancel(self) -> None:
        """Ends the child process; there are no findings then."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _read(self, output: str, code: int) -> None:
        for line in reversed(output.splitlines()):
            try:
                report = json.loads(line)
                self.findings = [
                    Finding(
                        name=str(found["name"]),
                        state=found["state"] if found["state"] in _STATES else "fail",
                        what=str(found["what"]),
                        advice=str(found["advice"]),
                    )
                    for found in report["findings"]
                ]
                self.devices = [str(device) for device in report["devices"]]
            except (ValueError, KeyError, TypeError):
                continue
            return
        self._fail(f"it ended with code {code} ({backend_process.last_words(output)})")

    def _fail(self, what: str) -> None:
        advice = "install the backend here, or choose a Python that has it"
        self.findings = [Finding("Backend", "fail", what, advice)]


def _connection(path: Path) -> Finding:
    try:
        connection = endpoint.read_connection_file(path)
    except errors.ConnectionFileError as error:
        return Finding("Connection file", "fail", error.sentence, "start that backend, or choose its file")
    return Finding("Connection file", "ok", f"names a backend at {connection.address}")
