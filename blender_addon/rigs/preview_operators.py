# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines how a user sees, without a key, what one channel does, and what the whole mapping makes of a face."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from .. import compat, words
from .._shared import errors
from . import character as characters
from . import preview_sources, rig_table, rigging
from .preview import MappingPreview, Preview
from .rig_operators import RigOperator, rigging_of

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_PIXELS = 200  # of the mouse's way from rest to the largest value
_END = ("LEFTMOUSE", "RIGHTMOUSE", "ESC", "RET")


class _PreviewOperator(RigOperator):
    """Shows something while the mouse moves to the right; a click puts everything back.

    An operator has `_begin`, which makes a preview and what displays a value of it, and `_value`.
    """

    bl_options = {"INTERNAL"}  # noqa: RUF012 (nothing is left that could be undone)

    _preview: Preview | MappingPreview | None = None
    _display: Callable[[float], None]
    _name = ""
    _start = 0
    _share = 0.0
    _most = 1.0
    _help = "click or Esc: back to rest"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Shows it until a button of the mouse or Escape."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self._begin(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        self._start = event.mouse_x
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("SCROLL_X")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Follows the mouse; the end restores the character."""
        if event.type in _END:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE" or self._turn(event):
            if event.type == "MOUSEMOVE":
                self._share = min(max((event.mouse_x - self._start) / _PIXELS, 0.0), 1.0)
            self._display(self._share * self._most)
            context.workspace.status_text_set(
                f"{self._name} {self._share * self._most:.2f}   {words.translate(self._help)}"
            )
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Puts everything back, also when Blender ends the operator."""
        self._preview.restore()
        context.workspace.status_text_set(None)
        context.window.cursor_modal_restore()

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Shows a value, tells how far it moves the face, and puts it back."""
        try:
            self._begin(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        meshes = characters.read(rigging_of(context).character).meshes
        before = [compat.evaluated_points(context, mesh) for mesh in meshes]
        try:
            self._display(self._value)
            moved = [compat.evaluated_points(context, mesh) - was for mesh, was in zip(meshes, before, strict=True)]
        finally:
            self._preview.restore()
            context.view_layer.update()
        distances = [float((each**2).sum(axis=1).max(initial=0.0)) ** 0.5 for each in moved]
        count = sum(int(((each**2).sum(axis=1) > 0).sum()) for each in moved)
        farthest = max(distances, default=0.0)
        self.report({"INFO"}, words.fill("{0} vertices move, the farthest by {1:.4g}", count, farthest))
        return {"FINISHED"}

    def _turn(self, event: bpy.types.Event) -> bool:
        """Whether an event has made something else shown."""
        return False


class SPEECHFACE_OT_preview_channel(_PreviewOperator, bpy.types.Operator):
    """Move the mouse to the right to see what this channel does; a click puts everything back"""

    bl_idname = "speechface.preview_channel"
    bl_label = "Preview Channel"

    index: IntProperty(default=-1, description="Row of the table; -1 for the active one", options={"SKIP_SAVE"})
    value: FloatProperty(default=1.0, description="Value that is shown, without a mouse", options={"SKIP_SAVE"})

    @property
    def _value(self) -> float:
        return self.value

    def _begin(self, context: bpy.types.Context) -> None:
        rig = rigging_of(context)
        index = rig.active_channel if self.index < 0 else self.index
        if index >= len(rig.channels):
            raise errors.SpeechFaceError("there is no such channel; select one in the table")
        channel = rig_table.channel_of(rig.channels[index])
        self._name, self._most = channel.name, channel.most
        self._preview = Preview(characters.read(rig.character), channel)
        self._display = self._preview.show


class SPEECHFACE_OT_preview_face(_PreviewOperator, bpy.types.Operator):
    """Move the mouse to the right to see what the whole mapping makes of this face; a click puts everything back"""

    bl_idname = "speechface.preview_face"
    bl_label = "Preview Face"

    face: StringProperty(
        description='Shape of ARKit, or viseme such as "oculus.aa"; empty for the chosen one', options={"SKIP_SAVE"}
    )
    share: FloatProperty(
        default=1.0, min=0.0, max=1.0, description="How much of it is shown, without a mouse", options={"SKIP_SAVE"}
    )

    _help = "wheel: another face   click or Esc: back to rest"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only of channels whose names are known."""
        reason = disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    @property
    def _value(self) -> float:
        return self.share

    def _begin(self, context: bpy.types.Context) -> None:
        rig = rigging_of(context)
        self._name = self.face or rig.preview_face
        if self._name not in preview_sources.FACES:
            raise errors.SpeechFaceError(
                f"there is no face {self._name!r}; choose a shape of ARKit, or a viseme such as 'oculus.aa'"
            )
        preview = MappingPreview(characters.read(rig.character), rigging.mapping_of(rig))
        self._preview = preview
        self._display = lambda share: preview.show(preview_sources.FACES[self._name], share)

    def _turn(self, event: bpy.types.Event) -> bool:
        steps = {"WHEELUPMOUSE": -1, "WHEELDOWNMOUSE": 1, "UP_ARROW": -1, "DOWN_ARROW": 1}
        if event.type not in steps or event.value != "PRESS":
            return False
        names = list(preview_sources.FACES)
        self._name = names[(names.index(self._name) + steps[event.type]) % len(names)]
        return True


def disabled_reason(context: bpy.types.Context) -> str:
    """Why no face can be shown through the mapping, as a sentence; empty if one can."""
    rig = rigging_of(context)
    if rig is None or rig.character is None:
        return words.fill("Choose a character first")
    if rigging.is_solved(rig):
        return words.fill(
            "Only the backend can fit channels without known names, to a whole motion; choose a preset or the method "
            "By Names to preview a face"
        )
    return ""


CLASSES = (SPEECHFACE_OT_preview_channel, SPEECHFACE_OT_preview_face)


def register() -> None:
    """Registers the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
