# pyright: reportAttributeAccessIssue=false
"""Carries out steps in Blender's window as a person would, with photographs, checks and measures.

The steps are a generator that a timer carries on: it yields how many seconds Blender's own loop runs before the next
step, so that the window draws and operators run as they do for a person.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from tests.gui import window
from tests.gui.watching import faults

Steps = Iterator[float]
_COLOURS = 6  # of 255, between the picture and what the window shows


class Script:
    """One run; a subclass has its steps.

    Args:
        out: for photographs and the report.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._steps = self._all()
        self._failures: list[str] = []
        self._measures: dict[str, object] = {"Blender": bpy.app.version_string}
        self._number = 0
        self._last = out / "nothing.png"

    def begin(self) -> None:
        """Begins when the window is there."""
        bpy.context.preferences.view.show_splash = False
        bpy.app.timers.register(self, first_interval=1.0, persistent=True)

    def __call__(self) -> float | None:
        """Carries on; called by Blender's timer."""
        try:
            return next(self._steps)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 (whatever it is, the report says it)
            traceback.print_exc()
            self._failures.append(f"{type(error).__name__}: {error}")
        self._end()
        return None

    def _all(self) -> Steps:
        """The steps."""
        raise AssertionError("a script has steps")

    def _close(self) -> None:
        """Ends what was begun, and adds what failed unseen."""

    def _why(self) -> str:
        """What the add-on itself says of its last failure."""
        return ""

    def _end(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._close()
        log = self._out / "blender.log"
        self._failures += faults(log.read_text("utf-8", "replace")) if log.exists() else []
        report = {"measures": self._measures, "failures": list(dict.fromkeys(self._failures))}
        (self._out / "report.json").write_text(json.dumps(report, indent=1), "utf-8")
        os._exit(1 if self._failures else 0)  # no question whether to save

    def _check(self, is_true: object, sentence: str) -> None:
        if not is_true:
            self._failures.append(sentence)

    def _until(self, is_true: Callable[[], object], seconds: float, what: str) -> Steps:
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:.0f} s for {what}; {self._why()}")
            yield 0.01

    def _photograph(self, name: str, wait: float = 0.6) -> Steps:
        for area in window.main_window().screen.areas:
            area.tag_redraw()
        yield wait
        self._number += 1
        self._last = self._out / f"{self._number:02}_{name}.png"
        window.photograph(self._last)

    def _press(self, name: str, **given: object) -> None:
        """Presses a button of the add-on."""
        with window.override():
            getattr(bpy.ops.speechface, name)("INVOKE_DEFAULT", **given)

    def _same_colours(self, what: str, picture: Path, corners: list, seconds: float) -> Steps:
        """Photographs until the window shows a picture in its own colours; shaders may have to be compiled first."""
        deadline, wanted = time.monotonic() + seconds, window.pixels_of(picture)
        while True:
            window.photograph(self._last)
            difference, count = window.colour_difference(window.pixels_of(self._last), wanted, corners)
            if (difference <= _COLOURS and count > 50) or time.monotonic() > deadline:
                break
            yield 0.5
        self._measures[f"colours of {what}, difference of 255"] = difference
        self._check(count > 50, f"{what} is not seen: {count} samples lie in the window")
        self._check(difference <= _COLOURS, f"{what} has other colours than its file, by {difference} of 255")
