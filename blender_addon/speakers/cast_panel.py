# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the list of characters, and of the active one the strips and the photos."""

from __future__ import annotations

import bpy

from .. import words
from ..properties import SPEECHFACE_Character, active_character, scene_settings
from . import cast
from .photo_panel import draw_face


class SPEECHFACE_UL_characters(bpy.types.UIList):
    """The characters of a scene."""

    bl_idname = "SPEECHFACE_UL_characters"

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
        """Draws one row: the name, to be changed by a double click."""
        layout.prop(item, "name", text="", emboss=False, icon="USER")


class SPEECHFACE_UL_voices(bpy.types.UIList):
    """The strips that a character speaks."""

    bl_idname = "SPEECHFACE_UL_voices"

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
        """Draws one row: the strip as it is called now, red if it is gone, and whether it is generated."""
        found = cast.find(item)
        row = layout.row(align=True)
        row.prop(item, "is_used", text="")
        label = row.row()
        label.alert = found is None
        if found is None:
            label.label(text=words.fill("{0} (gone)", item.name), icon="ERROR")
        else:
            scene, strip = found
            is_here = context is None or scene == context.scene
            label.label(text=strip.name if is_here else f"{scene.name}: {strip.name}", icon="SOUND")


def draw_characters(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the section: before there is a character, the two things that begin one."""
    character = active_character(context.scene)
    if character is None:
        _draw_start(layout)
        return
    kept = scene_settings(context.scene)
    row = layout.row()
    row.template_list("SPEECHFACE_UL_characters", "", kept, "characters", kept, "active_character", rows=2, maxrows=5)
    _draw_buttons(row, "add_character", "remove_character")
    _draw_voices(layout, character)
    draw_face(layout, context, character)


def _draw_start(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    column.scale_y = 1.3
    column.operator("speechface.add_sound_file", text="Choose Speech...", icon="SOUND")
    column.operator("speechface.add_images", text="Choose Photos...", icon="IMAGE_DATA")
    column.operator("speechface.add_voice", text="Use a Sound Strip", icon="SEQ_SEQUENCER")


def _draw_voices(layout: bpy.types.UILayout, character: SPEECHFACE_Character) -> None:
    layout.label(text="Speech")
    if not character.voices:
        row = layout.row(align=True)
        row.operator("speechface.add_sound_file", text="Choose File...", icon="FILE_FOLDER")
        row.operator("speechface.add_voice", text="Choose Strip", icon="SOUND")
        return
    row = layout.row()
    row.template_list("SPEECHFACE_UL_voices", "", character, "voices", character, "active_voice", rows=2, maxrows=6)
    _draw_buttons(row, "add_sound_file", "add_voice", "remove_voice")


_ICONS = {
    "add_character": "ADD",
    "add_sound_file": "FILE_FOLDER",
    "add_voice": "ADD",
    "remove_character": "REMOVE",
    "remove_voice": "REMOVE",
}


def _draw_buttons(row: bpy.types.UILayout, *names: str) -> None:
    column = row.column(align=True)
    for name in names:
        column.operator(f"speechface.{name}", text="", icon=_ICONS[name])


CLASSES = (SPEECHFACE_UL_characters, SPEECHFACE_UL_voices)
