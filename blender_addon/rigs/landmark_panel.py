# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the landmarks of a character: finding them, the list with their names, and correcting them."""

from __future__ import annotations

import bpy

from .. import words
from ..sentences import draw_sentence
from . import face_landmarks
from .landmark_search import UNSURE
from .rig_properties import SPEECHFACE_Rigging


class SPEECHFACE_UL_landmarks(bpy.types.UIList):
    """The landmarks of a character."""

    bl_idname = "SPEECHFACE_UL_landmarks"

    def draw_item(
        self,
        context: bpy.types.Context | None,
        layout: bpy.types.UILayout,
        data: object,
        item: object,
        icon: int | None,
        active_data: object,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        """Draws one row: its name, whether it is unsure, and Reset where it was corrected."""
        is_corrected = face_landmarks.is_corrected(item)
        is_unsure = item.confidence < UNSURE and not is_corrected
        row = layout.row(align=True)
        row.label(text=item.name, icon="ERROR" if is_unsure else "GREASEPENCIL" if is_corrected else "DOT")
        if is_corrected:
            row.operator("speechface.reset_landmarks", text="", emboss=False, icon="LOOP_BACK").landmark = index


def draw_landmarks(layout: bpy.types.UILayout, rig: SPEECHFACE_Rigging) -> None:
    """Draws the landmarks of the chosen character, closed at first."""
    header, body = layout.panel("SPEECHFACE_landmarks", default_closed=True)
    face = face_landmarks.face_of(rig)
    count = face_landmarks.corrected_count(face)
    header.label(text=words.fill("Landmarks ({0} corrected)", count) if count else "Landmarks")
    if body is None:
        return
    find = body.column()
    find.operator_context = "INVOKE_DEFAULT"
    find.operator("speechface.find_landmarks", icon="VIEWZOOM")
    if face is None:
        draw_sentence(body, "Generate finds them by itself; find them here to see and correct them", "INFO")
        return
    body.prop(rig, "show_landmarks")
    body.template_list("SPEECHFACE_UL_landmarks", "", face, "landmarks", face, "active_landmark", rows=4, maxrows=8)
    correct = body.column(align=True)
    correct.operator_context = "INVOKE_DEFAULT"
    correct.operator("speechface.drag_landmarks", icon="VIEW_PAN")
    correct.operator("speechface.set_landmark", icon="VERTEXSEL")
    correct.operator("speechface.reset_landmarks", icon="LOOP_BACK")


def register() -> None:
    """Registers the list."""
    bpy.utils.register_class(SPEECHFACE_UL_landmarks)


def unregister() -> None:
    """Removes the list."""
    bpy.utils.unregister_class(SPEECHFACE_UL_landmarks)
