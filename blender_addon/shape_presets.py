# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false, reportAssignmentType=false
"""Keeps how a face moves under names, by Blender's own presets; some ship with the add-on."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase

from ._shared import motion_controls

_FOLDER = "speech_face/shape"
_HERE = Path(__file__).parent  # its folder "presets" holds those that ship


class SPEECHFACE_MT_shape_presets(bpy.types.Menu):
    """The shapes that have a name."""

    bl_label = "Shape Presets"
    preset_subdir = _FOLDER
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class SPEECHFACE_OT_shape_preset_add(AddPresetBase, bpy.types.Operator):
    """Keep this shape under a name, for all characters and files; or remove the one that is chosen"""

    bl_idname = "speechface.shape_preset_add"
    bl_label = "Add Shape Preset"
    preset_menu = "SPEECHFACE_MT_shape_presets"
    preset_subdir = _FOLDER
    preset_defines = (
        "kept = bpy.context.scene.speech_face",
        "character = kept.characters[kept.active_character]",
    )
    preset_values = (
        *(f"character.{name}" for name in motion_controls.RANGES if name != "blink_gain"),
        "character.use_blink",
    )


_CLASSES = (SPEECHFACE_MT_shape_presets, SPEECHFACE_OT_shape_preset_add)


def register() -> None:
    """Registers menu and operator, and the presets that ship."""
    bpy.utils.register_preset_path(str(_HERE))
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes them."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    bpy.utils.unregister_preset_path(str(_HERE))
