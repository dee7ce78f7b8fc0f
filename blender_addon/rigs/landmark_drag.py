# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Defines how a user drags landmarks over a face in the 3D viewport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .. import compat, words
from .._shared import errors
from ..session import redraw
from . import character as characters
from . import face_landmarks, face_surface
from .landmark_operators import LandmarkOperator
from .landmark_touch import TouchedSurface, view_under
from .rig_operators import rigging_of

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .face_properties import SPEECHFACE_Face

_HELP = "Drag: move   Enter or right click: done   Esc: put all back"
_NAVIGATION = ("MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "TRACKPADPAN", "TRACKPADZOOM", "MOUSEROTATE",
               "MOUSESMARTZOOM", "NDOF_MOTION", "HOME", "NUMPAD_1", "NUMPAD_3", "NUMPAD_7", "NUMPAD_5",
               "NUMPAD_PERIOD")  # fmt: skip


class LandmarkDrag:
    """Moves landmarks with the mouse until it is over; places of the mouse are those of the window.

    Args:
        context: Blender's context.

    Raises:
        SpeechFaceError: the character shows no face, or is in Edit Mode.
    """

    def __init__(self, context: bpy.types.Context) -> None:
        rig = rigging_of(context)
        character = characters.read(rig.character)
        if any(mesh.mode == "EDIT" for mesh in character.meshes):
            raise errors.SpeechFaceError("landmarks are dragged in Object Mode; leave Edit Mode first")
        rest = face_surface.surface(context, character)
        self._touched = TouchedSurface(face_landmarks.shown_surface(context, character, rest))
        face = face_landmarks.face_of(rig)
        self._before = [(row.object.name if row.object else "", row.vertex) for row in face.landmarks]
        self._held: int | None = None

    def press(self, context: bpy.types.Context, x: int, y: int) -> None:
        """Takes the landmark under the mouse, if one is there."""
        self._held = self._under(context, x, y)
        self._activate(context, self._held)

    def release(self) -> None:
        """Leaves the landmark where it is."""
        self._held = None

    def move(self, context: bpy.types.Context, x: int, y: int) -> None:
        """Moves the landmark that is held to the vertex under the mouse, or makes the landmark there the active one.

        Raises:
            SpeechFaceError: a mesh has other vertices than when landmarks were put on it.
        """
        if self._held is None:
            self._activate(context, self._under(context, x, y))
        elif (under := view_under(context.window, x, y)) is not None:
            view, pixel = under
            if (met := self._touched.vertex(*view.ray(pixel))) is not None:
                name, vertex, count = met
                face_landmarks.place(_face(context), self._held, bpy.data.objects[name], vertex, count)

    def undo(self, context: bpy.types.Context) -> None:
        """Puts all landmarks back to where they were at the beginning."""
        for row, (name, vertex) in zip(_face(context).landmarks, self._before, strict=True):
            row.object, row.vertex = bpy.data.objects.get(name), vertex

    def _under(self, context: bpy.types.Context, x: int, y: int) -> int | None:
        under = view_under(context.window, x, y)
        places = face_landmarks.places(context, _face(context))
        return None if under is None else self._touched.landmark(*under, places)

    def _activate(self, context: bpy.types.Context, number: int | None) -> None:
        if number is not None:
            _face(context).active_landmark = number


class SPEECHFACE_OT_drag_landmarks(LandmarkOperator, bpy.types.Operator):
    """Drag landmarks over the face in the 3D viewport, to the vertex where each belongs"""

    bl_idname = "speechface.drag_landmarks"
    bl_label = "Drag Landmarks"
    bl_options = {"UNDO"}  # noqa: RUF012 (Blender's own way; it cannot be repeated without the mouse)

    _drag: LandmarkDrag | None = None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Takes the mouse until Enter or Esc."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self._drag = LandmarkDrag(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        rigging_of(context).show_landmarks = True
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(words.translate(_HELP))
        _redraw_views(context)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Says that there is no mouse."""
        return self._refuse(
            errors.SpeechFaceError("there is no window to drag in; select a vertex and use Set Landmark instead")
        )

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Follows the mouse; what is released stays where it is."""
        if event.type in _NAVIGATION or event.alt:
            return {"PASS_THROUGH"}
        if event.type == "ESC":
            self._drag.undo(context)
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in ("RET", "NUMPAD_ENTER", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel(context)
            return {"FINISHED"}
        try:
            if event.type == "LEFTMOUSE" and event.value == "PRESS":
                self._drag.press(context, event.mouse_x, event.mouse_y)
            elif event.type == "LEFTMOUSE":
                self._drag.release()
            elif event.type == "MOUSEMOVE":
                self._drag.move(context, event.mouse_x, event.mouse_y)
                face = _face(context)
                context.workspace.status_text_set(
                    f"{face.landmarks[face.active_landmark].name}   {words.translate(_HELP)}"
                )
                _redraw_views(context)
        except errors.SpeechFaceError as error:
            self.cancel(context)
            return self._refuse(error)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Gives the mouse back, also when Blender ends the operator."""
        context.workspace.status_text_set(None)
        _redraw_views(context)
        redraw()


def _face(context: bpy.types.Context) -> SPEECHFACE_Face:
    rig = rigging_of(context)
    face = face_landmarks.face_of(rig) if rig is not None else None
    if face is None:
        raise errors.SpeechFaceError("the character was exchanged meanwhile; press Drag Landmarks again")
    return face


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
