# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines how a user finds the landmarks of a character, sets one on a selected vertex, and resets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bmesh
import bpy
import numpy as np
from bpy.props import IntProperty

from .. import words
from .._shared import errors
from ..run_operator import RunOperator
from ..session import redraw
from . import character as characters
from . import face_landmarks, landmark_search
from .character import Character
from .rig_operators import RigOperator, rigging_of

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .face_properties import SPEECHFACE_Face


class LandmarkOperator(RigOperator):
    """What these operators share: the chosen character has landmarks."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when landmarks were found."""
        rig = rigging_of(context)
        has_face = rig is not None and face_landmarks.face_of(rig) is not None
        cls.poll_message_set("" if has_face else words.fill("Press Find Landmarks first"))
        return has_face


class SPEECHFACE_OT_find_landmarks(RunOperator, RigOperator, bpy.types.Operator):
    """Find the 68 landmarks on the face of the character, to see and correct them; corrected ones are replaced"""

    bl_idname = "speechface.find_landmarks"
    bl_label = "Find Landmarks"

    unchanged = "Cancelled; the landmarks are unchanged"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when nothing is missing; the tooltip says what is."""
        reason = landmark_search.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def _start(self, context: bpy.types.Context) -> landmark_search.LandmarkSearch:
        return landmark_search.begin(context)


class SPEECHFACE_OT_set_landmark(LandmarkOperator, bpy.types.Operator):
    """Put the active landmark on the selected vertex; of several on the active one, or else the most central one"""

    bl_idname = "speechface.set_landmark"
    bl_label = "Set Landmark from Selected Vertex"

    landmark: IntProperty(
        default=-1, description="Number of the landmark; -1 for the active one", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Sets it, in Edit Mode or Object Mode."""
        rig = rigging_of(context)
        face = face_landmarks.face_of(rig)
        try:
            number = _number(face, face.active_landmark if self.landmark < 0 else self.landmark)
            mesh, vertex = _selected_vertex(context, characters.read(rig.character))
            on_surface, count = _on_surface(context, mesh, vertex)
            face_landmarks.place(face, number, mesh, on_surface, count)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        redraw()
        self.report(
            {"INFO"}, words.fill("{0} lies on vertex {1} of {2}", face.landmarks[number].name, on_surface, mesh.name)
        )
        return {"FINISHED"}


class SPEECHFACE_OT_reset_landmarks(LandmarkOperator, bpy.types.Operator):
    """Put landmarks back to where they were found"""

    bl_idname = "speechface.reset_landmarks"
    bl_label = "Reset Landmarks"

    landmark: IntProperty(default=-1, description="Number of the landmark; -1 for all", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Resets one or all."""
        face = face_landmarks.face_of(rigging_of(context))
        try:
            count = face_landmarks.reset(face, None if self.landmark < 0 else [_number(face, self.landmark)])
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        redraw()
        said = words.fill(
            "{0} landmark put back to where found" if count == 1 else "{0} landmarks put back to where found", count
        )
        self.report({"INFO"}, said)
        return {"FINISHED"}


def _number(face: SPEECHFACE_Face, number: int) -> int:
    if number >= len(face.landmarks):
        raise errors.SpeechFaceError(f"there is no landmark {number}; choose 0 to {len(face.landmarks) - 1}")
    return number


def _selected_vertex(context: bpy.types.Context, character: Character) -> tuple[bpy.types.Object, int]:
    """The mesh of the character that is edited, or else is active, and the vertex that is selected on it.

    Raises:
        SpeechFaceError: there is none.
    """
    active = context.view_layer.objects.active
    edited = sorted((mesh for mesh in character.meshes if mesh.mode == "EDIT"), key=lambda mesh: mesh != active)
    for mesh in edited or [mesh for mesh in character.meshes if mesh == active]:
        if mesh.mode == "EDIT":
            mesh.update_from_editmode()
            last = bmesh.from_edit_mesh(mesh.data).select_history.active
            if isinstance(last, bmesh.types.BMVert) and last.select:
                return mesh, last.index
        is_selected = np.empty(len(mesh.data.vertices), bool)
        mesh.data.vertices.foreach_get("select", is_selected)
        if selected := np.flatnonzero(is_selected).tolist():
            places = np.array([mesh.data.vertices[vertex].co for vertex in selected])
            return mesh, selected[int(np.square(places - places.mean(axis=0)).sum(axis=1).argmin())]
    raise errors.SpeechFaceError(
        f"no vertex of {character.object.name!r} is selected; select one in Edit Mode, where the landmark belongs"
    )


def _on_surface(context: bpy.types.Context, mesh: bpy.types.Object, vertex: int) -> tuple[int, int]:
    """The number of a vertex on the character's surface, and how many are there; Edit Mode is left meanwhile."""
    is_edited = mesh.mode == "EDIT" and mesh.data.shape_keys is None and len(mesh.modifiers) > 0
    if is_edited:
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        return face_landmarks.vertex_on_surface(context, mesh, vertex)
    finally:
        if is_edited:
            bpy.ops.object.mode_set(mode="EDIT")


CLASSES = (SPEECHFACE_OT_find_landmarks, SPEECHFACE_OT_set_landmark, SPEECHFACE_OT_reset_landmarks)


def register() -> None:
    """Registers the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
