# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines what a user can do with the table of a character's channels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from . import character as characters
from . import compat, rig_table, rigging
from ._shared import errors, presets
from .preview import Preview
from .properties import active_character

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .rig_properties import SPEECHFACE_Rigging

_PIXELS = 200  # of the mouse's way from rest to a channel's largest value
_PRESETS: list[tuple[str, str, str]] = []  # Blender needs the texts of an enumeration to stay


def _preset_items(_operator: object, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    if not _PRESETS:
        _PRESETS.extend((name, name, presets.open_preset(name).description) for name in presets.preset_names())
    return _PRESETS


def _rigging(context: bpy.types.Context) -> SPEECHFACE_Rigging | None:
    character = active_character(context.scene)
    return character.rigging if character is not None else None


class _RigOperator:
    """What these operators share: a character is chosen, and errors are reported."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when a character is chosen."""
        rig = _rigging(context)
        is_chosen = rig is not None and rig.character is not None
        cls.poll_message_set("" if is_chosen else "Choose a character first")
        return is_chosen

    def _refuse(self, error: errors.SpeechFaceError | OSError) -> set[OperatorReturnItems]:
        sentence = error.sentence if isinstance(error, errors.SpeechFaceError) else str(error)
        self.report({"ERROR"}, sentence[:1].upper() + sentence[1:])
        return {"CANCELLED"}


class SPEECHFACE_OT_detect_rig(_RigOperator, bpy.types.Operator):
    """Read the character again and reset the table to what its names stand for"""

    bl_idname = "speechface.detect_rig"
    bl_label = "Reset to Detected"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Reads it; a character that cannot be used is said."""
        rig = _rigging(context)
        rigging.detect(rig)
        return self._refuse(errors.SpeechFaceError(rig.problem)) if rig.problem else {"FINISHED"}


class SPEECHFACE_OT_choose_preset(_RigOperator, bpy.types.Operator):
    """Make the table that of a known kind of rig"""

    bl_idname = "speechface.choose_preset"
    bl_label = "Choose Preset"

    preset: EnumProperty(name="Preset", items=_preset_items)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Fills the table."""
        rigging.choose_preset(_rigging(context), self.preset)
        return {"FINISHED"}


class _MappingFile(_RigOperator):
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Opens the file browser."""
        if not self.filepath:
            self.filepath = f"{_rigging(context).name or 'rig'}.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @property
    def _path(self) -> Path:
        return Path(bpy.path.abspath(self.filepath))


class SPEECHFACE_OT_load_mapping(_MappingFile, bpy.types.Operator):
    """Load the table from a file"""

    bl_idname = "speechface.load_mapping"
    bl_label = "Load Mapping"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Loads it; of a bad file the sentence is shown and the table stays."""
        try:
            rigging.load(_rigging(context), self._path)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        return {"FINISHED"}


class SPEECHFACE_OT_save_mapping(_MappingFile, bpy.types.Operator):
    """Save the table as a file that other scenes, the command line and colleagues can use"""

    bl_idname = "speechface.save_mapping"
    bl_label = "Save Mapping"
    bl_options = {"REGISTER"}  # noqa: RUF012 (Blender's own way)

    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Writes it."""
        path = self._path.with_suffix(".json")
        try:
            rigging.save(_rigging(context), path)
        except (errors.SpeechFaceError, OSError) as error:
            return self._refuse(error)
        self.report({"INFO"}, f"Saved {path}")
        return {"FINISHED"}


class SPEECHFACE_OT_add_channel(_RigOperator, bpy.types.Operator):
    """Add a channel; give it the name of a shape key, and its sources"""

    bl_idname = "speechface.add_channel"
    bl_label = "Add Channel"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Adds a row, named after the first shape key that has none."""
        rig = _rigging(context)
        taken = {row.name for row in rig.channels}
        try:
            names = characters.read(rig.character).names
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        rig.channels.add().name = next((name for name in names if name not in taken), f"Channel {len(taken) + 1}")
        rig.active_channel = len(rig.channels) - 1
        return {"FINISHED"}


class SPEECHFACE_OT_remove_channel(_RigOperator, bpy.types.Operator):
    """Remove the active channel from the table; the shape key stays"""

    bl_idname = "speechface.remove_channel"
    bl_label = "Remove Channel"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Removes the row."""
        rig = _rigging(context)
        if rig.active_channel >= len(rig.channels):
            return self._refuse(errors.SpeechFaceError("no channel is selected; select one in the table"))
        rig.channels.remove(rig.active_channel)
        rig.active_channel = max(0, min(rig.active_channel, len(rig.channels) - 1))
        return {"FINISHED"}


class SPEECHFACE_OT_preview_channel(_RigOperator, bpy.types.Operator):
    """Move the mouse to the right to see what this channel does; a click puts everything back"""

    bl_idname = "speechface.preview_channel"
    bl_label = "Preview Channel"
    bl_options = {"INTERNAL"}  # noqa: RUF012 (nothing is left that could be undone)

    index: IntProperty(default=-1, description="Row of the table; -1 for the active one", options={"SKIP_SAVE"})
    value: FloatProperty(default=1.0, description="Value that is shown, without a mouse", options={"SKIP_SAVE"})

    _preview: Preview | None = None
    _start = 0
    _most = 1.0

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Shows the channel until a button of the mouse or Escape."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            self._preview = self._begin(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        self._start = event.mouse_x
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("SCROLL_X")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Follows the mouse; the end restores the character."""
        if event.type == "MOUSEMOVE":
            share = min(max((event.mouse_x - self._start) / _PIXELS, 0.0), 1.0)
            self._preview.show(share * self._most)
            context.workspace.status_text_set(f"{share * self._most:.2f}   click or Esc: back to rest")
        elif event.type in ("LEFTMOUSE", "RIGHTMOUSE", "ESC", "RET"):
            self.cancel(context)
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Puts everything back, also when Blender ends the operator."""
        self._preview.restore()
        context.workspace.status_text_set(None)
        context.window.cursor_modal_restore()

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Shows a value, tells how far it moves the face, and puts it back."""
        try:
            preview = self._begin(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        meshes = characters.read(_rigging(context).character).meshes
        before = [compat.evaluated_points(context, mesh) for mesh in meshes]
        preview.show(self.value)
        moved = [compat.evaluated_points(context, mesh) - was for mesh, was in zip(meshes, before, strict=True)]
        preview.restore()
        context.view_layer.update()
        distances = [float((each**2).sum(axis=1).max(initial=0.0)) ** 0.5 for each in moved]
        count = sum(int(((each**2).sum(axis=1) > 0).sum()) for each in moved)
        self.report({"INFO"}, f"{count} vertices move, the farthest by {max(distances, default=0.0):.4g}")
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context) -> Preview:
        rig = _rigging(context)
        index = rig.active_channel if self.index < 0 else self.index
        if index >= len(rig.channels):
            raise errors.SpeechFaceError("there is no such channel; select one in the table")
        channel = rig_table.channel_of(rig.channels[index])
        self._most = channel.most
        return Preview(characters.read(rig.character), channel)


CLASSES = (
    SPEECHFACE_OT_detect_rig,
    SPEECHFACE_OT_choose_preset,
    SPEECHFACE_OT_load_mapping,
    SPEECHFACE_OT_save_mapping,
    SPEECHFACE_OT_add_channel,
    SPEECHFACE_OT_remove_channel,
    SPEECHFACE_OT_preview_channel,
)


def register() -> None:
    """Registers the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
