"""Writes to the terminal, and reads the command line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from typer.core import TyperArgument, TyperCommand, TyperOption

from backend_server.processes import ending_signals
from backend_server.progress import Epoch
from backend_server.speech.suffixes import SOUND_SUFFIXES
from shared.errors import Cancelled, SpeechFaceError

EXIT_BAD_INPUT = 2

output = Console()
errors = Console(stderr=True)


class ManyValues(TyperCommand):
    """A command whose options can take several values at once: `--images a.png b.png`."""

    def is_argument(self, value: str) -> bool:
        """Whether a value after such an option is the command's argument, if that is missing."""
        return False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (typer carries its own click)
        """Repeats the option's name before each further value, and moves the command's argument to the end."""
        options = [p for p in self.params if isinstance(p, TyperOption)]
        takes_value = {name for p in options if not p.is_flag for name in p.opts}
        repeatable = {name for p in options if p.multiple for name in p.opts}
        missing = sum(isinstance(p, TyperArgument) for p in self.params)
        expanded: list[str] = []
        further: list[int] = []  # where in `expanded` an option's name is repeated
        option, has_value = "", False
        for arg in args:
            if arg.startswith("-"):
                name, equals, _ = arg.partition("=")
                option, has_value = (name if name in takes_value else ""), bool(equals)
            elif option and not has_value:
                has_value = True
            elif option in repeatable:
                further.append(len(expanded))
                expanded.append(option)
            else:
                missing -= 1
            expanded.append(arg)
        meant = [place for place in further if self.is_argument(expanded[place + 1])]
        if meant and missing > 0:
            place = meant[-1]
            expanded = [*expanded[:place], *expanded[place + 2 :], expanded[place + 1]]
        return super().parse_args(ctx, expanded)


class SpeechAndImages(ManyValues):
    """A command with a speech and `--images`: a sound or film among the pictures is the speech."""

    def is_argument(self, value: str) -> bool:
        """Whether the file's name ends as that of a sound or film."""
        return Path(value).suffix.lower() in SOUND_SUFFIXES


class StageBars:
    """Shows progress as one bar per stage, with the time left; used in a `with` block."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description:>12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=errors,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> StageBars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, stage: str, step: int, steps: int) -> None:
        """Moves the stage's bar; adds it if it is new."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=steps, note="")
        self._bars.update(self._tasks[stage], completed=step, total=steps)

    def note_epoch(self, epoch: Epoch) -> None:
        """Writes the result of the last epoch of learning a face beside its bar."""
        if "adapt" in self._tasks:
            self._bars.update(self._tasks["adapt"], note=f"epoch {epoch.number}: {epoch}")

    def say(self, sentence: str) -> None:
        """Writes a line above the bars."""
        self._bars.console.print(sentence, style="dim", highlight=False, soft_wrap=True, markup=False)

    def warn(self, sentence: str) -> None:
        """Writes a line above the bars that is not to be missed."""
        self._bars.console.print(sentence, style="yellow", highlight=False, soft_wrap=True, markup=False)


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turns a failure into one sentence on stderr and an exit code, and a request to end into a clean end.

    Such a request is Ctrl-C, the end of the terminal, or a process manager's SIGTERM.
    """
    status = 128 + signal.SIGINT

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        nonlocal status
        status = 128 + signal_number  # as shells say it
        raise Cancelled

    before = {number: signal.signal(number, interrupt) for number in ending_signals()}
    try:
        yield
    except SpeechFaceError as error:
        errors.print(f"error: {error.sentence}", style="red", highlight=False, soft_wrap=True, markup=False)
        if error.detail:
            errors.print(error.detail, style="dim", highlight=False, soft_wrap=True, markup=False)
        sys.exit(EXIT_BAD_INPUT)
    except Cancelled as request:
        errors.print(str(request) or "cancelled; nothing was written", style="yellow")
        sys.exit(status)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
