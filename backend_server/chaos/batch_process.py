"""Runs the command `batch` as a user does, on lines cut out of the sample speech, and looks at what it makes.

Nothing of `backend_server.batch` is used: what judges a batch must not share its mistakes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

import backend_server
from backend_server.chaos.server import python_path
from backend_server.chaos.waiting import wait_until
from backend_server.config import SAMPLE_RATE
from backend_server.processes import is_alive
from backend_server.speech.audio import read_audio, write_wav

LINE_SECONDS = 1.5
PATIENCE_SECONDS = 300.0  # until the next line is finished, loading included; a line takes a tenth of a second
END_SECONDS = 30.0  # until processes whose owner was killed have ended
INSIDE = ".batch"  # in the output folder: what the batch itself needs
_LOOK_SECONDS = 0.03  # between two looks at the folder
_SPEECH = Path(backend_server.__file__).with_name("samples") / "speech.wav"

Signature = tuple[int, int, int]


def write_lines(folder: Path, count: int, seconds: float = LINE_SECONDS) -> None:
    """Writes so many sounds `line_N.wav`, each another piece of the sample speech."""
    speech = read_audio(_SPEECH).samples
    length = round(seconds * SAMPLE_RATE)
    for number, first in enumerate(np.linspace(0, len(speech) - length, count).astype(int)):
        write_wav(folder / f"line_{number:04d}.wav", speech[first : first + length])


def finished_lines(out: Path) -> dict[str, Signature]:
    """Every line that has its folder, with what shows that it was not written again."""
    found = {}
    with suppress(FileNotFoundError):  # no such folder yet
        for entry in os.scandir(out):
            with suppress(FileNotFoundError, NotADirectoryError):  # a report, or renamed at this moment
                status = Path(entry.path, "line.json").stat()
                found[entry.name] = (entry.inode(), status.st_ino, status.st_mtime_ns)
    return found


def differences(whole: Path, other: Path) -> Iterator[tuple[str, str]]:
    """What another output folder has not, has otherwise, or has besides: "missing", "changed" or "besides", and names.

    All files and folders count, also what the batch itself keeps.
    """
    expected, found = ({path.relative_to(root) for path in root.rglob("*")} for root in (whole, other))
    for name in sorted(expected | found):
        one, two = whole / name, other / name
        if name not in found:
            yield "missing", str(name)
        elif name not in expected:
            yield "besides", str(name)
        elif one.is_dir() != two.is_dir() or (one.is_file() and one.read_bytes() != two.read_bytes()):
            yield "changed", str(name)


class BatchProcess:
    """One run of the command; used in a `with` block, which leaves no process behind.

    Args:
        arguments: of the command, `--out` not among them.
        out: its output folder.
        log: file that gets what it prints.
    """

    def __init__(self, arguments: list[str], out: Path, log: Path) -> None:
        self.out = out
        self._log = log
        self._family: set[psutil.Process] = set()  # every process that it was ever seen to start
        variables = {"PYTHONPATH": python_path(), "SPEECH_FACE_DATA": str(log.with_name("data"))}
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend_server", "batch", *arguments, "--out", str(out), "--device", "cpu"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **variables},
                start_new_session=True,  # Ctrl-C reaches the command alone, which ends the batch
            )

    def __enter__(self) -> BatchProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
        self.end_left_over(0.0)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    @property
    def printed(self) -> str:
        """All that it has printed."""
        return self._log.read_text("utf-8", "replace")

    @property
    def last_words(self) -> str:
        """The last line of it."""
        return next(iter(reversed(self.printed.strip().splitlines())), "it said nothing")[:300]

    def workers(self) -> list[psutil.Process]:
        """The processes that make lines."""
        return [child for child in self._children() if _is_worker(child)]

    def has_worker(self) -> bool:
        """Whether there are such processes, or will be none any more."""
        return bool(self.workers()) or self.status is not None

    def kill_all(self) -> None:
        """Kills the main process and all that it started."""
        children = self._children()
        self.kill_main()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def kill_main(self) -> None:
        """Kills the main process alone."""
        self._children()
        self._process.kill()
        self._process.wait()

    def kill_worker(self, share: float) -> None:
        """Kills one of the workers; a number from 0 to 1 says which."""
        workers = self.workers()
        if workers:
            with suppress(psutil.NoSuchProcess):
                workers[int(share * len(workers))].kill()

    def wait(self, look: Callable[[], int], is_time: Callable[[], bool] = lambda: False) -> bool:
        """Looks on until it is time or the run has ended; False if it finished no line for too long.

        Args:
            look: says how many lines are finished.
            is_time: whether it need not be waited any longer.
        """
        count, last = look(), time.monotonic()
        while self.status is None and not is_time():
            time.sleep(_LOOK_SECONDS)
            now = look()
            if now != count:
                count, last = now, time.monotonic()
            elif time.monotonic() - last > PATIENCE_SECONDS:
                return False
        look()  # at what was finished since
        return True

    def end_left_over(self, seconds: float) -> int:
        """Kills the processes that still run after so many seconds; returns how many these were."""
        wait_until(lambda: not any(map(is_alive, self._family)), seconds)
        left = [process for process in self._family if is_alive(process)]
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return len(left)

    def _children(self) -> list[psutil.Process]:
        if self.status is not None:
            return []
        try:
            children = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self._family.update(children)
        return children


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in word for word in process.cmdline())
    except psutil.Error:  # it has just ended
        return False
