"""How do the commands speak to the person at the terminal?"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from typer.core import TyperCommand, TyperOption

from backend_server.progress import Epoch
from shared.errors import Cancelled, SpeechFaceError

EXIT_BAD_INPUT = 2
EXIT_CANCELLED = 130

output = Console()
errors = Console(stderr=True)


class ManyValues(TyperCommand):
    """A command whose repeatable options take several values at once: `--images a.png b.png`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (typer carries its own click)
        """Repeats the option's name before each further value."""
        repeatable = {
            name
            for p in self.params
            if isinstance(p, TyperOption) and p.multiple
            for name in (*p.opts, *p.secondary_opts)
        }
        expanded: list[str] = []
        option = ""
        has_value = False
        for arg in args:
            if arg.startswith("-"):
                option, has_value = (arg if arg in repeatable else ""), False
            elif option and has_value:
                expanded.append(option)
            else:
                has_value = True
            expanded.append(arg)
        return super().parse_args(ctx, expanded)


class StageBars:
    """Progress as one bar a stage, with the time left; used in a `with` block."""

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
        """Moves the stage's bar, adding it first when it is new."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=steps, note="")
        self._bars.update(self._tasks[stage], completed=step, total=steps)

    def note_epoch(self, epoch: Epoch) -> None:
        """Writes what the last epoch of learning a face came to beside its bar."""
        if "adapt" in self._tasks:
            self._bars.update(self._tasks["adapt"], note=f"epoch {epoch.number}: {epoch}")

    def say(self, sentence: str) -> None:
        """Writes a line above the bars."""
        self._bars.console.print(sentence, style="dim", highlight=False, soft_wrap=True, markup=False)


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turns a failure into one sentence on stderr and an exit code, and Ctrl-C into a clean end."""

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        raise Cancelled

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except SpeechFaceError as error:
        errors.print(f"error: {error.sentence}", style="red", highlight=False, soft_wrap=True, markup=False)
        if error.detail:
            errors.print(error.detail, style="dim", highlight=False, soft_wrap=True, markup=False)
        sys.exit(EXIT_BAD_INPUT)
    except Cancelled:
        errors.print("cancelled; nothing was written", style="yellow")
        sys.exit(EXIT_CANCELLED)
    finally:
        signal.signal(signal.SIGINT, before)
