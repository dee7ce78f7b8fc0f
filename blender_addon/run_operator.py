# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Runs one thing that the session holds, step by step in a window and at once elsewhere.

`Generate` has a queue besides and does not use it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import bpy

from . import compat, generation, orders, words
from ._shared import errors
from .pictures.incoming_pictures import TICK_SECONDS
from .session import redraw, session, watch

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

TIMER_SECONDS = 0.05


class RunOperator:
    """What an operator does that starts a run in `_start(context)`, which the session holds from then on."""

    _start: Callable[[bpy.types.Context], object]
    unchanged = "Cancelled; the scene is unchanged"  # said when it was cancelled
    _timer: bpy.types.Timer | None = None
    _run: object | None = None
    _ending: Generator[None, None, str] | None = None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Starts it without blocking the window."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self._run = self._start(context)
        except errors.SpeechFaceError as error:
            return self._fail(error)
        self._timer = context.window_manager.event_timer_add(TIMER_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        watch()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Takes one step per timer event."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if session.generation is not self._run:
            self._drop_timer(context)
            return {"CANCELLED"}
        if self._ending is None:
            self._run.tick()
            redraw()
            if not self._run.is_over:
                return {"PASS_THROUGH"}
            self._ending = generation.end(context)
        return self._end(context, TICK_SECONDS) or {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Does all before it returns, for scripts and `blender -b`."""
        try:
            self._start(context).run_until_done()
        except errors.SpeechFaceError as error:
            return self._fail(error)
        self._ending = generation.end(context)
        return self._end(context, None) or {"CANCELLED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Stops it when Blender ends the operator: another file is opened, or the window closes."""
        self._drop_timer(context)
        if self._run is not None and session.generation is self._run:
            self._run.discard()
            session.generation = None

    def _end(self, context: bpy.types.Context, budget: float | None) -> set[OperatorReturnItems] | None:
        """Writes results for so many seconds, None writes all; returns nothing while some are left."""
        deadline = None if budget is None else time.monotonic() + budget
        try:
            while deadline is None or time.monotonic() < deadline:
                next(self._ending)
            return None
        except StopIteration as ended:
            self.report({"INFO"}, ended.value)
            outcome: set[OperatorReturnItems] = {"FINISHED"}
        except errors.Cancelled:
            self.report({"WARNING"}, words.translate(self.unchanged))
            outcome = {"CANCELLED"}
        except errors.SpeechFaceError as error:
            outcome = self._fail(error)
        self._drop_timer(context)
        redraw()
        return outcome

    def _fail(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        session.failure = orders.sentence_of(error)
        self.report({"ERROR"}, session.failure)
        return {"CANCELLED"}

    def _drop_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
