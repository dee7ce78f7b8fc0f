# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the sub-panel *Rig*: the character, what was detected and why, and the table of its channels."""

from __future__ import annotations

import bpy

from .. import words
from .._shared import errors
from ..properties import active_character
from ..sentences import draw_sentence
from . import preview_operators, rig_table, rigging
from .landmark_panel import draw_landmarks
from .rig_properties import SPEECHFACE_Rigging

_SHOWN_REASONS = 4


class SPEECHFACE_UL_channels(bpy.types.UIList):
    """The channels of a character."""

    bl_idname = "SPEECHFACE_UL_channels"

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
        """Draws one row: name, sources, whether it is muted, and the preview."""
        row = layout.row(align=True)
        row.active = not item.is_muted
        row.alert = bool(_problem(item))
        texts = row.split(factor=0.55, align=True)
        texts.prop(item, "name", text="", emboss=False, icon="BONE_DATA" if item.bone else "NONE")
        texts.prop(item, "sources", text="", emboss=False)
        row.prop(item, "is_muted", text="", emboss=False, icon="HIDE_ON" if item.is_muted else "HIDE_OFF")
        row.operator("speechface.preview_channel", text="", emboss=False, icon="VIEW_PAN").index = index


def draw_rig(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the sub-panel."""
    header, body = layout.panel("SPEECHFACE_rig", default_closed=False)
    header.label(text="Rig", text_ctxt=words.CONTEXT)
    if body is None:
        return
    character = active_character(context.scene)
    if character is None:
        return
    rig = character.rigging
    column = body.column()
    column.prop(rig, "character", text="", icon="OUTLINER_OB_ARMATURE")
    if rig.character is None:
        return
    if rig.problem:
        draw_sentence(column, rig.problem[:1].upper() + rig.problem[1:], "ERROR")
        column.operator("speechface.detect_rig", text="Read Again", icon="FILE_REFRESH")
        return
    _draw_detected(column, rig)
    if rigging.is_solved(rig):
        draw_landmarks(column, rig)
    _draw_table(column, rig)
    draw_face_preview(column, context)


def draw_face_preview(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the choice of a face that is shown through the whole mapping, or why none can be."""
    header, body = layout.panel("SPEECHFACE_preview", default_closed=True)
    header.label(text="Preview")
    if body is None:
        return
    if reason := preview_operators.disabled_reason(context):
        draw_sentence(body, reason, "INFO")
        return
    row = body.row(align=True)
    row.operator_context = "INVOKE_DEFAULT"
    row.prop(active_character(context.scene).rigging, "preview_face", text="")
    row.operator("speechface.preview_face", text="", icon="VIEW_PAN")


def _draw_detected(column: bpy.types.UILayout, rig: SPEECHFACE_Rigging) -> None:
    kind = words.fill("{0}, {1:.0%} sure" if rig.kind else "A rig of its own kind", rig.kind, rig.confidence)
    column.label(text=kind, icon="INFO")
    for reason in rig.why.splitlines()[:_SHOWN_REASONS]:
        draw_sentence(column, reason, "DOT")
    left = rig.skipped.splitlines()
    if left:
        count = len(left) - 1
        said = words.fill("Not moved: {0} and {1} more" if count else "Not moved: {0}", left[0], count)
        draw_sentence(column, said, "CANCEL")
    settings = column.column()
    settings.use_property_split = True
    settings.use_property_decorate = False
    settings.prop(rig, "method")
    if rig.method == "AUTO" and rigging.is_solved(rig):
        draw_sentence(column, "The names say too little: the shape keys are fitted by how they look", "INFO")


def _draw_table(column: bpy.types.UILayout, rig: SPEECHFACE_Rigging) -> None:
    row = column.row()
    row.template_list("SPEECHFACE_UL_channels", "", rig, "channels", rig, "active_channel", rows=5, maxrows=8)
    buttons = row.column(align=True)
    for name, icon in (
        ("add_channel", "ADD"),
        ("remove_channel", "REMOVE"),
        ("detect_rig", "FILE_REFRESH"),
        ("load_mapping", "FILE_FOLDER"),
        ("save_mapping", "FILE_TICK"),
    ):
        buttons.operator(f"speechface.{name}", text="", icon=icon)
    column.operator_menu_enum("speechface.choose_preset", "preset", text="Choose Preset", icon="PRESET")
    if rig.active_channel < len(rig.channels):
        _draw_channel(column, rig.channels[rig.active_channel])
    whole = column.column(align=True)
    whole.use_property_split = True
    whole.use_property_decorate = False
    whole.prop(rig, "gain", text="Gain of All")
    whole.prop(rig, "is_mirrored", text="Mirror All")
    if any(channel.method == "held" for channel in rig.channels):
        whole.prop(rig, "hold_seconds")


def _draw_channel(column: bpy.types.UILayout, channel: bpy.types.PropertyGroup) -> None:
    if problem := _problem(channel):
        draw_sentence(column, problem[:1].upper() + problem[1:], "ERROR")
    header, body = column.panel("SPEECHFACE_channel", default_closed=True)
    header.label(text=channel.name)
    if body is None:
        return
    body.prop(channel, "sources", text="")
    details = body.column(align=True)
    details.use_property_split = True
    details.use_property_decorate = False
    for name in ("method", "gain", "offset", "least", "most", "is_mirrored"):
        details.prop(channel, name)


def _problem(channel: bpy.types.PropertyGroup) -> str:
    try:
        rig_table.channel_of(channel)
    except errors.ValueRangeError as error:
        return error.sentence
    return ""
