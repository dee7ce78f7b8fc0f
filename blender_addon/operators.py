# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines Generate, Cancel and what is done with the backend. Each operator calls a function of another module."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, IntProperty

from . import compat, generation, orders, preferences, words
from ._shared import errors
from .pictures import redrawing
from .pictures.incoming_pictures import TICK_SECONDS
from .properties import active_character, scene_settings
from .reader import Reader
from .run_operator import TIMER_SECONDS, RunOperator
from .sentences import allow
from .session import redraw, session, watch

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .orders import Order


class SPEECHFACE_OT_generate(bpy.types.Operator):
    """Make the face speak: keys and pictures from the speech, the photos and the rig of this character"""

    bl_idname = "speechface.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    use_all: BoolProperty(
        name="All Characters", description="Generate every character of the scene, one after the other"
    )

    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when nothing is missing; the tooltip says what is."""
        reason = orders.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Starts the jobs, or lets them wait behind those that run, without blocking the window."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self._take_orders(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        session.orders += self._left
        self._timer = context.window_manager.event_timer_add(TIMER_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        watch()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Takes one step of the job per timer event."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        self._left = [order for order in self._left if order in session.orders]  # others were cancelled
        running = session.generation
        if self._ending is not None:
            self._end(context, TICK_SECONDS)
        elif self._reader is not None:
            self._read(context)
            redraw()
        elif running is None and session.reader is None and self._left and session.orders[0] == self._left[0]:
            self._running = session.orders.pop(0)
            self._reader = session.reader = Reader(context, self._running)
            redraw()
        elif running is not None and running.plan.order == self._running:
            running.tick()
            redraw()
            if running.is_over:  # at once: in a slow window the next event is far away
                self._ending = generation.end(context)
                self._end(context, TICK_SECONDS)
        if self._running is None and not self._left:
            self._drop_timer(context)
            redraw()
            return {"FINISHED"} if self._made else {"CANCELLED"}
        return {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Does all jobs before it returns, for scripts and `blender -b`."""
        try:
            self._take_orders(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        for order in self._left:
            self._begin(context, order)
            if session.generation is not None:
                session.generation.run_until_done()
                self._ending = generation.end(context)
                self._end(context, None)
        return {"FINISHED"} if self._made else {"CANCELLED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Stops the jobs when Blender ends the operator: another file is opened, or the window closes."""
        self._drop_timer(context)
        session.orders = [order for order in session.orders if order not in self._left]
        if self._reader is not None and self._reader is session.reader:
            session.stop_reading()
        if session.generation is not None and session.generation.plan.order == self._running:
            session.generation.discard()
            session.generation = None

    def _take_orders(self, context: bpy.types.Context) -> None:
        kept = scene_settings(context.scene)
        whom = list(kept.characters) if self.use_all else [active_character(context.scene)]
        self._left = [order for character in whom for order in orders.orders(context, character)]
        self._left = [order for order in self._left if order not in session.orders]
        self._running: Order | None = None
        self._reader: Reader | None = None
        self._ending: Generator[None, None, str] | None = None
        self._made = 0

    def _begin(self, context: bpy.types.Context, order: Order) -> None:
        try:
            generation.begin(context, order)
            self._running = order
        except errors.SpeechFaceError as error:
            self._refuse(error)

    def _read(self, context: bpy.types.Context) -> None:
        """Reads photos and sound for a moment, and begins when all is read and nothing else runs."""
        reader = self._reader
        try:
            if session.reader is not reader:
                raise errors.Cancelled
            if reader.made is None:
                reader.tick(TICK_SECONDS)
            if reader.made is None or session.generation is not None:  # something else was begun meanwhile
                return
            generation.start(context, *reader.made)
        except errors.Cancelled:
            self.report({"WARNING"}, "Cancelled; the scene is unchanged")
            self._running = None
        except errors.SpeechFaceError as error:
            self._refuse(error)
            self._running = None
        self._reader = None
        if session.reader is reader:
            session.reader = None

    def _end(self, context: bpy.types.Context, budget: float | None) -> None:
        """Writes results for so many seconds; None writes all."""
        deadline = None if budget is None else time.monotonic() + budget
        try:
            while deadline is None or time.monotonic() < deadline:
                next(self._ending)
            return
        except StopIteration as ended:
            self.report({"INFO"}, ended.value)
            self._made += 1
        except errors.Cancelled:
            self.report({"WARNING"}, "Cancelled; the scene is unchanged")
        except errors.SpeechFaceError as error:
            self._refuse(error)
        self._running = self._ending = None

    def _drop_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _refuse(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        session.failure = orders.sentence_of(error)
        redraw()
        self.report({"ERROR"}, session.failure)
        return {"CANCELLED"}


class SPEECHFACE_OT_render_again(RunOperator, bpy.types.Operator):
    """Draw the pictures again from the landmark armature as posed now; of the preview range alone, if it is used"""

    bl_idname = "speechface.render_again"
    bl_label = "Render Again"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    use_range: BoolProperty(name="Range", description="Only the frames from First to Last", options={"SKIP_SAVE"})
    first: IntProperty(name="First", description="First scene frame", options={"SKIP_SAVE"})
    last: IntProperty(name="Last", description="Last scene frame", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there are pictures and curves; the tooltip says what is missing."""
        reason = redrawing.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def _start(self, context: bpy.types.Context) -> redrawing.Redrawing:
        return redrawing.begin(context, *((self.first, self.last) if self.use_range else ()))


class SPEECHFACE_OT_cancel(bpy.types.Operator):
    """Stop generating; the scene does not change"""

    bl_idname = "speechface.cancel"
    bl_label = "Cancel"

    use_all: BoolProperty(name="All", description="Also those that wait", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while a face is being generated."""
        is_running = session.generation is not None or session.reader is not None or bool(session.orders)
        return allow(cls, is_running, "Nothing is being generated")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Ends the running job at once; Generate itself notices at its next timer event."""
        if self.use_all:
            session.orders.clear()
        session.stop_reading()
        if session.generation is not None:
            session.generation.job.cancel()
            session.generation.job.tick()
        return {"FINISHED"}


class SPEECHFACE_OT_start_backend(bpy.types.Operator):
    """Start the backend, or connect to the one that the preferences name; Generate also does this"""

    bl_idname = "speechface.start_backend"
    bl_label = "Start Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while no job runs."""
        return allow(cls, session.generation is None, "A face is being generated")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Starts it without waiting for it."""
        try:
            session.connect(preferences.settings(context))
        except errors.SpeechFaceError as error:
            session.failure = orders.sentence_of(error)
            redraw()
            self.report({"ERROR"}, session.failure)
            return {"CANCELLED"}
        session.failure = ""
        watch()
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_stop_backend(bpy.types.Operator):
    """Stop the backend that this Blender started, or disconnect from another one"""

    bl_idname = "speechface.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while there is one, and no job runs on it."""
        is_idle = session.is_connected and session.generation is None
        return allow(cls, is_idle, "No backend runs, or a face is being generated")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Stops it and frees its memory."""
        session.close()
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_dismiss_failure(bpy.types.Operator):
    """Stop showing what went wrong"""

    bl_idname = "speechface.dismiss_failure"
    bl_label = "Dismiss"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when a failure is shown."""
        return allow(cls, bool(session.failure), "Nothing has failed")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Forgets it."""
        session.failure = ""
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_copy_log(bpy.types.Operator):
    """Copy the end of the backend's log to the clipboard"""

    bl_idname = "speechface.copy_log"
    bl_label = "Copy Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when this Blender started a backend."""
        return allow(cls, session.backend is not None, "This Blender has started no backend")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Copies it and names the file of the whole log."""
        if session.backend is None:
            return {"CANCELLED"}
        context.window_manager.clipboard = session.backend.log_tail()
        self.report({"INFO"}, words.fill("Copied; the whole log is in {0}", session.backend.log_file))
        return {"FINISHED"}


_CLASSES = (
    SPEECHFACE_OT_generate,
    SPEECHFACE_OT_render_again,
    SPEECHFACE_OT_cancel,
    SPEECHFACE_OT_start_backend,
    SPEECHFACE_OT_stop_backend,
    SPEECHFACE_OT_dismiss_failure,
    SPEECHFACE_OT_copy_log,
)


def register() -> None:
    """Registers the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
