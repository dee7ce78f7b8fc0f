# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Defines what a user can do afterwards with what was made: shape keys again, follow moved strips, clear."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import bpy

from .. import compat, orders, words
from .._shared import errors
from ..properties import SPEECHFACE_Character, active_character
from ..run_operator import TIMER_SECONDS
from ..session import redraw, session
from ..slices import Sliced, Slices, exhaust
from . import editing

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


class _EditingOperator:
    """What these operators share: work in slices on the active character, whose sentences are reported."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    _timer: bpy.types.Timer | None = None
    _work: Sliced[list[str]] | None = None
    _edit: Callable[[bpy.types.Context, SPEECHFACE_Character], Slices[list[str]]]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when something was made, and nothing runs."""
        character = active_character(context.scene)
        is_made = character is not None and editing.is_made(character)
        reason = "" if is_made else words.fill("Nothing was generated for this character yet")
        if session.generation is not None or session.orders:
            reason = words.fill("Wait until the face is generated, or cancel it")
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Does it in slices, so that the window stays alive."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self._work = Sliced(self._edit(context, active_character(context.scene)))
        except errors.SpeechFaceError as error:
            return self._fail(error)
        self._timer = context.window_manager.event_timer_add(TIMER_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Does a slice per timer event."""
        if event.type == "ESC":
            self.cancel(context)
            self.report({"WARNING"}, "Cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            if not self._work.step():
                return {"PASS_THROUGH"}
        except errors.SpeechFaceError as error:
            self._drop_timer(context)
            return self._fail(error)
        self._drop_timer(context)
        return self._say(self._work.result)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Does all before it returns, for scripts and `blender -b`."""
        try:
            return self._say(exhaust(self._edit(context, active_character(context.scene))))
        except errors.SpeechFaceError as error:
            return self._fail(error)

    def cancel(self, context: bpy.types.Context) -> None:
        """Stops it; what a slice has finished stays."""
        self._drop_timer(context)
        if self._work is not None:
            self._work.cancel()

    def _say(self, sentences: list[str]) -> set[OperatorReturnItems]:
        first, *rest = [orders.capitalised(sentence) for sentence in sentences]
        session.notes, session.failure = rest, ""
        self.report({"INFO"}, first)
        redraw()
        return {"FINISHED"}

    def _fail(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        session.failure = orders.sentence_of(error)
        self.report({"ERROR"}, session.failure)
        return {"CANCELLED"}

    def _drop_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


class SPEECHFACE_OT_shape_again(_EditingOperator, bpy.types.Operator):
    """Choose the frames of the keys again, as set above, from the motion that is remembered; nothing is heard anew"""

    bl_idname = "speechface.shape_again"
    bl_label = "Apply to Keys"

    def _edit(self, context: bpy.types.Context, character: SPEECHFACE_Character) -> Slices[list[str]]:
        return editing.shape_again(context.scene, character)


class SPEECHFACE_OT_follow_strips(_EditingOperator, bpy.types.Operator):
    """Lay keys and pictures where the strips are now, at the frame rate of now; nothing is heard anew"""

    bl_idname = "speechface.follow_strips"
    bl_label = "Re-sync"

    def _edit(self, context: bpy.types.Context, character: SPEECHFACE_Character) -> Slices[list[str]]:
        return editing.follow_strips(context, character)


class SPEECHFACE_OT_clear(_EditingOperator, bpy.types.Operator):
    """Take away exactly what was made of the strips that are ticked; keys that you have changed stay"""

    bl_idname = "speechface.clear"
    bl_label = "Clear"

    def _edit(self, context: bpy.types.Context, character: SPEECHFACE_Character) -> Slices[list[str]]:
        return editing.clear(context, character)


_CLASSES = (SPEECHFACE_OT_shape_again, SPEECHFACE_OT_follow_strips, SPEECHFACE_OT_clear)


def register() -> None:
    """Registers the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
