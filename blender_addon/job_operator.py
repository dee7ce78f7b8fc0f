# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Defines what operators share that run a job on the backend: modal in a window, blocking without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import compat, generation
from ._shared import errors
from .session import redraw, session, watch

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_TICK_SECONDS = 0.1


class JobOperator:
    """Begins a job that the session holds, and ends it with what `generation.end` says.

    An operator has `disabled_reason` and `begin`.
    """

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when nothing is missing; the tooltip says what is."""
        reason = cls.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Starts the job without blocking the window."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self.begin(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        self._timer = context.window_manager.event_timer_add(_TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        watch()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Takes one step of the job per timer event."""
        if event.type != "TIMER" or (running := session.generation) is None:
            return {"PASS_THROUGH"}
        running.job.tick()
        redraw()
        return self._end(context) if running.job.is_over else {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Does the whole job before it returns, for scripts and `blender -b`."""
        try:
            self.begin(context)
            session.generation.job.run_until_done()
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        return self._end(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Stops the job when Blender ends the operator: another file is opened, or the window closes."""
        self._drop_timer(context)
        if session.generation is not None:
            session.generation.discard()
            session.generation = None

    def _end(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        self._drop_timer(context)
        try:
            self.report({"INFO"}, generation.end(context))
        except errors.Cancelled:
            self.report({"WARNING"}, "Cancelled; the scene is unchanged")
            return {"CANCELLED"}
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        finally:
            redraw()
        return {"FINISHED"}

    def _drop_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _refuse(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        self.report({"ERROR"}, generation.sentence_of(error))
        return {"CANCELLED"}
