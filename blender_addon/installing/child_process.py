"""Runs a program beside Blender whose output goes to a file, so that nothing waits for it. No bpy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .._shared import environments, errors

_TAIL_BYTES = 64 * 1024
_END_SECONDS = 0.3
# pip's own settings stay as the user made them, except those that lead it out of a private environment.
_MISLEADING = (*environments.PARENTS_OWN, "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "VIRTUAL_ENV")
_QUIET = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}


class ChildProcess:
    """A program that runs, and the file to whose end it writes.

    Args:
        command: the program and its arguments.
        log: gets its output; made if missing.
        folder: in which it runs.
        variables: of the environment, beside ours.
        descriptors: that it keeps open; not on Windows.

    Raises:
        SpeechFaceError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
        self._log = log
        try:
            with log.open("ab") as file:
                self._read_to = file.tell()
                self._process = subprocess.Popen(
                    list(command),
                    cwd=folder,
                    env={**environment, **_QUIET, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(variables or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=os.name == "posix",  # so that `end` reaches what it started in turn
                    pass_fds=() if os.name == "nt" else tuple(descriptors),
                    creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
                )
        except OSError as error:
            raise errors.SpeechFaceError(
                f"{command[0]} cannot be started ({error.strerror}); choose another Python"
            ) from error

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def new_text(self) -> str:
        """Whole lines that it has written since this was last asked; none when the file is gone."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._read_to)
                content = file.read()
        except OSError:
            return ""
        whole = content if self._process.poll() is not None else content[: content.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode("utf-8", "replace")

    def end(self) -> None:
        """Ends it, and what it has started, at once; the window waits 0.3 s for that at most."""
        if self._process.poll() is None:
            with suppress(OSError):
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:  # an environment's python.exe takes the Python that it started along
                    self._process.kill()
            self.wait(_END_SECONDS)

    def wait(self, seconds: float) -> None:
        """Waits until it ends, for some seconds at most."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)


def tail(log: Path) -> str:
    """The end of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
