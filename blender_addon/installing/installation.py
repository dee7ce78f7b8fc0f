"""Installs the backend into a private environment, stage by stage, without waiting for anything. No bpy.

`tick` looks at the child process that runs and starts the next one; each writes to `install.log`. A stage that is
complete is noted in the folder's record and left out the next time, and pip keeps what it has loaded until all is done:
so an installation that was cancelled or broke off goes on where it stopped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator

from .._shared import errors
from . import installed
from .child_process import ChildProcess, tail
from .folder_lock import FolderLock
from .install_recipe import InstallPlan, Outcome, Recipe, Step, check_system
from .install_sizes import SECONDS, Stage
from .pip_output import PipReader

LOG_NAME = "install.log"
_USUAL_RATE = 5e6  # bytes a second, until the true one is known
_WAIT_SECONDS = 0.1


class Installation:
    """One installation: `start`, then `tick` until `is_over`.

    Args:
        plan: what to install.
        clock: gives seconds, and never runs backwards.

    Attributes:
        error: why it failed, as a sentence; empty while it runs and when it succeeded.
        is_over: whether it has ended: done, failed or cancelled.
        is_cancelled: whether it was cancelled.
        stage: what is done now.
        fraction: how much is done, 0 to 1.
    """

    def __init__(self, plan: InstallPlan, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self.error = ""
        self.is_over = self.is_cancelled = False
        self.stage = Stage.PYTHON
        self.fraction = 0.0
        self.log_file = plan.folder / LOG_NAME
        self._clock = clock
        self._steps: Generator[Step, Outcome, None] | None = None
        self._child: ChildProcess | None = None
        self._lock: FolderLock | None = None
        self._reader, self._output = PipReader(), ""
        self._ends_at = float("inf")
        self._begun = self._unpacking_since = clock()
        self._loaded, self._loading_seconds = 0.0, 0.0  # of the stages before

    def start(self) -> None:
        """Checks what can be checked before, and starts the first child process.

        Raises:
            SpeechFaceError: the installation cannot succeed here.
        """
        plan = self.plan
        check_system(plan.system, plan.machine)
        installed.check_folder(plan.folder)
        try:
            (plan.folder / "temporary").mkdir(parents=True, exist_ok=True)
            if not (plan.folder / installed.MARKER).is_file():
                installed.write_record(plan.folder, installed.Record())
            self._lock = FolderLock(plan.folder / "lock")
            record = installed.read_record(plan.folder)
            free = shutil.disk_usage(plan.folder).free
            has_torch = "torch" in record.stages and record.build in ("", plan.build)
            if not has_torch and free < plan.size.disk_bytes:
                raise errors.NoSpaceError(
                    f"the installation needs {plan.size.disk_bytes / 1e9:.1f} GB of free disk, and "
                    f"{str(plan.folder)!r} has {free / 1e9:.1f} GB; free some space, or choose another Install Folder"
                )
            self.log_file.write_text(f"Speech Face {plan.wheel.version}, {plan.build}, {plan.system} {plan.machine}\n")
            self._steps = Recipe(plan, record).commands()
            self._send(self._steps, None)
        except OSError as error:
            self._finish()
            raise errors.SpeechFaceError(
                f"{str(plan.folder)!r} cannot be written ({error.strerror}); choose another Install Folder"
            ) from error
        except errors.SpeechFaceError:
            self._finish()
            raise

    def tick(self) -> None:
        """Looks at the child process, and starts the next one if it has ended."""
        if self.is_over or self._child is None or self._steps is None:
            return
        code = self._child.poll()
        text = self._child.new_text()
        was_unpacking = self._reader.is_unpacking
        self._reader.read(text)
        self._output += text
        if self._reader.is_unpacking and not was_unpacking:
            self._unpacking_since = self._clock()
        if code is None and self._clock() > self._ends_at:
            self._child.end()
            code = self._child.poll()
        if code is None:
            self._look()
            return
        self._loaded += self._reader.loaded_bytes
        if self._reader.loaded_bytes:
            end = self._unpacking_since if self._reader.is_unpacking else self._clock()
            self._loading_seconds += end - self._begun
        try:
            self._send(self._steps, Outcome(code, self._output))
        except StopIteration:
            self._finish()
        except errors.SpeechFaceError as error:
            self.error = error.sentence
            self._finish()
        except OSError as error:
            self.error = (
                f"{str(self.plan.folder)!r} cannot be written ({error.strerror}); choose another Install Folder"
            )
            self._finish()

    def cancel(self) -> None:
        """Ends it at once; what is complete stays for the next time."""
        if not self.is_over:
            self.is_cancelled = True
            self._finish()

    def run_until_done(self) -> None:
        """Does the whole installation before it returns, for scripts."""
        while not self.is_over:
            self.tick()
            if self._child is not None:
                self._child.wait(_WAIT_SECONDS)

    def _look(self) -> None:
        """Keeps how much is done; a connection that becomes slower does not turn it back."""
        self.fraction = max(self.fraction, self._fraction())

    def _fraction(self) -> float:
        """How much of the seconds that it takes is over."""
        seconds = self._seconds()
        before = sum(each for stage, each in seconds.items() if stage < self.stage)
        return min(0.99, (before + self._seconds_of_stage(seconds[self.stage])) / sum(seconds.values()))

    @property
    def seconds_left(self) -> float:
        """About how long it still takes."""
        seconds = self._seconds()
        return max(1.0, (1 - self._fraction()) * sum(seconds.values()))

    @property
    def library(self) -> str:
        """What pip loads now; empty while it loads nothing."""
        return "" if self._reader.is_unpacking else self._reader.name

    @property
    def output(self) -> str:
        """What the last command has written; of an installation that succeeded, what the check found."""
        return self._output

    def log_tail(self) -> str:
        """The end of the log."""
        return "\n".join(line for line in tail(self.log_file).splitlines() if not line.startswith("Progress "))

    def _seconds(self) -> dict[Stage, float]:
        loaded, took = self._loaded, self._loading_seconds
        if self._reader.loaded_bytes and not self._reader.is_unpacking:
            loaded, took = loaded + self._reader.loaded_bytes, took + self._clock() - self._begun
        rate = max(loaded / took, 1e4) if loaded > 1e6 and took > 0 else _USUAL_RATE
        sizes = self.plan.size.stage_bytes
        return {stage: SECONDS[stage] + sizes.get(stage, 0.0) / rate for stage in Stage}

    def _seconds_of_stage(self, whole: float) -> float:
        """How many of the seconds that the stage takes are over, as far as its output tells."""
        size = self.plan.size.stage_bytes.get(self.stage, 0.0)
        if not size:
            return min(self._clock() - self._begun, 0.95 * whole)
        loading = whole - SECONDS[self.stage]
        if self._reader.is_unpacking:
            return loading + min(self._clock() - self._unpacking_since, 0.95 * SECONDS[self.stage])
        return loading * min(1.0, self._reader.loaded_bytes / size)

    def _send(self, steps: Generator[Step, Outcome, None], outcome: Outcome | None) -> None:
        """Starts the next command; one that cannot be started counts as one that failed."""
        while True:
            step = next(steps) if outcome is None else steps.send(outcome)
            try:
                self._begin(step)
            except errors.SpeechFaceError as error:
                outcome = Outcome(127, error.sentence)
            else:
                return

    def _begin(self, step: Step) -> None:
        self.stage = step.stage
        self._reader, self._output = PipReader(), ""
        self._begun = self._clock()
        self._ends_at = self._begun + step.seconds
        with self.log_file.open("a", encoding="utf-8") as log:
            log.write(f"\n> {' '.join(step.command)}\n")
        folder = self.plan.folder
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "temporary"))
        self._child = ChildProcess(
            step.command,
            self.log_file,
            folder,
            {**places, "PIP_CACHE_DIR": str(folder / "cache")},
            (self._lock.descriptor,) if self._lock is not None else (),
        )

    def _finish(self) -> None:
        if self._child is not None:
            self._child.end()
        if self._steps is not None:
            self._steps.close()
        self.is_over = True
        if self._lock is not None:
            self._lock.release()
