# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Defines how a user drags landmarks over a face in the 3D viewport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import character as characters
from . import compat, face_landmarks, face_surface
from ._shared import errors
from .landmark_operators import LandmarkOperator
from .landmark_touch import TouchedSurface, view_under
from .rig_operators import rigging_of
from .session import redraw

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .face_properties import SPEECHFACE_Face

_HELP = "Drag: move   Enter or right click: done   Esc: put all back"
_NAVIGATION = ("MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "MOUSEROTATE",
               "MOUSESMARTZOOM", "NDOF_MOTION", "HOME", "NUMPAD_1", "NUMPAD_3", "NUMPAD_7", "NUMPAD_5",
               "NUMPAD_PERIOD")  # fmt: skip


class SPEECHFACE_OT_drag_landmarks(LandmarkOperator, bpy.types.Operator):
    """Drag landmarks over the face in the 3D viewport, to the vertex where each belongs"""

    bl_idname = "speechface.drag_landmarks"
    bl_label = "Drag Landmarks"

    _touched: TouchedSurface
    _before: tuple[tuple[str, int], ...]
    _held: int | None = None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Takes the mouse until Enter or Esc."""
        if not compat.has_event_loop():
            return self.execute(context)
        rig = rigging_of(context)
        try:
            character = characters.read(rig.character)
            if any(mesh.mode == "EDIT" for mesh in character.meshes):
                raise errors.SpeechFaceError("landmarks are dragged in Object Mode; leave Edit Mode first")
            rest = face_surface.surface(context, character)
            self._touched = TouchedSurface(face_landmarks.shown_surface(context, character, rest))
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        face = face_landmarks.face_of(rig)
        self._before = tuple((row.object.name if row.object else "", row.vertex) for row in face.landmarks)
        self._held = None
        rig.show_landmarks = True
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(_HELP)
        _redraw_views(context)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Says that there is no mouse."""
        return self._refuse(
            errors.SpeechFaceError("there is no window to drag in; select a vertex and use Set Landmark instead")
        )

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Follows the mouse; what is released stays where it is."""
        face = face_landmarks.face_of(rigging_of(context))
        if face is None:  # another scene or file
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in _NAVIGATION or event.alt:
            return {"PASS_THROUGH"}
        if event.type == "ESC":
            for row, (name, vertex) in zip(face.landmarks, self._before, strict=True):
                row.object, row.vertex = context.scene.objects.get(name), vertex
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in ("RET", "NUMPAD_ENTER", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel(context)
            return {"FINISHED"}
        if event.type == "LEFTMOUSE":
            self._held = self._under(context, event, face) if event.value == "PRESS" else None
        elif event.type == "MOUSEMOVE":
            try:
                self._follow(context, event, face)
            except errors.SpeechFaceError as error:
                self.cancel(context)
                return self._refuse(error)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Gives the mouse back, also when Blender ends the operator."""
        self._held = None
        context.workspace.status_text_set(None)
        _redraw_views(context)
        redraw()

    def _under(self, context: bpy.types.Context, event: bpy.types.Event, face: SPEECHFACE_Face) -> int | None:
        """The landmark under the mouse."""
        under = view_under(context.window, event.mouse_x, event.mouse_y)
        return None if under is None else self._touched.landmark(*under, face_landmarks.places(context, face))

    def _follow(self, context: bpy.types.Context, event: bpy.types.Event, face: SPEECHFACE_Face) -> None:
        """Moves the landmark that is held to where the mouse is, or makes the one below it active."""
        if self._held is None:
            if (number := self._under(context, event, face)) is not None:
                face.active_landmark = number
        elif (under := view_under(context.window, event.mouse_x, event.mouse_y)) is not None:
            view, pixel = under
            if (met := self._touched.vertex(*view.ray(pixel))) is not None:
                name, vertex, count = met
                face_landmarks.place(face, self._held, context.scene.objects[name], vertex, count)
        context.workspace.status_text_set(f"{face.landmarks[face.active_landmark].name}   {_HELP}")
        _redraw_views(context)


def _redraw_views(context: bpy.types.Context) -> None:
    for area in context.window.screen.areas:
        if area.type == "VIEW_3D":
            area.tag_redraw()


def register() -> None:
    """Registers the operator."""
    bpy.utils.register_class(SPEECHFACE_OT_drag_landmarks)


def unregister() -> None:
    """Removes the operator."""
    bpy.utils.unregister_class(SPEECHFACE_OT_drag_landmarks)
