# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines what a user can do with the table of a character's channels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import words
from .._shared import errors, presets
from ..properties import active_character
from . import character as characters
from . import rigging

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

    from .rig_properties import SPEECHFACE_Rigging

_PRESETS: list[tuple[str, str, str]] = []  # Blender needs the texts of an enumeration to stay


def _preset_items(_operator: object, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    if not _PRESETS:
        _PRESETS.extend((name, name, presets.open_preset(name).description) for name in presets.preset_names())
    return _PRESETS


def rigging_of(context: bpy.types.Context) -> SPEECHFACE_Rigging | None:
    """The rig of the active character, and its table; None while there is no character."""
    character = active_character(context.scene)
    return character.rigging if character is not None else None


class RigOperator:
    """What these operators share: a character is chosen, and errors are reported."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when a character is chosen."""
        rig = rigging_of(context)
        is_chosen = rig is not None and rig.character is not None
        cls.poll_message_set("" if is_chosen else words.fill("Choose a character first"))
        return is_chosen

    def _refuse(self, error: errors.SpeechFaceError | OSError) -> set[OperatorReturnItems]:
        sentence = error.sentence if isinstance(error, errors.SpeechFaceError) else str(error)
        self.report({"ERROR"}, sentence[:1].upper() + sentence[1:])
        return {"CANCELLED"}


class SPEECHFACE_OT_detect_rig(RigOperator, bpy.types.Operator):
    """Read the character again and reset the table to what its names stand for"""

    bl_idname = "speechface.detect_rig"
    bl_label = "Reset to Detected"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Reads it; a character that cannot be used is said."""
        rig = rigging_of(context)
        rigging.detect(rig)
        return self._refuse(errors.SpeechFaceError(rig.problem)) if rig.problem else {"FINISHED"}


class SPEECHFACE_OT_choose_preset(RigOperator, bpy.types.Operator):
    """Make the table that of a known kind of rig"""

    bl_idname = "speechface.choose_preset"
    bl_label = "Choose Preset"

    preset: EnumProperty(name="Preset", items=_preset_items)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Fills the table."""
        rigging.choose_preset(rigging_of(context), self.preset)
        return {"FINISHED"}


class _MappingFile(RigOperator):
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Opens the file browser."""
        if not self.filepath:
            self.filepath = f"{rigging_of(context).name or 'rig'}.json"
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
            rigging.load(rigging_of(context), self._path)
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
            rigging.save(rigging_of(context), path)
        except (errors.SpeechFaceError, OSError) as error:
            return self._refuse(error)
        self.report({"INFO"}, words.fill("Saved {0}", path))
        return {"FINISHED"}


class SPEECHFACE_OT_add_channel(RigOperator, bpy.types.Operator):
    """Add a channel; give it the name of a shape key, and its sources"""

    bl_idname = "speechface.add_channel"
    bl_label = "Add Channel"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Adds a row, named after the first shape key that has none."""
        rig = rigging_of(context)
        taken = {row.name for row in rig.channels}
        try:
            names = characters.read(rig.character).names
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        rig.channels.add().name = next((name for name in names if name not in taken), f"Channel {len(taken) + 1}")
        rig.active_channel = len(rig.channels) - 1
        return {"FINISHED"}


class SPEECHFACE_OT_remove_channel(RigOperator, bpy.types.Operator):
    """Remove the active channel from the table; the shape key stays"""

    bl_idname = "speechface.remove_channel"
    bl_label = "Remove Channel"

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Removes the row."""
        rig = rigging_of(context)
        if rig.active_channel >= len(rig.channels):
            return self._refuse(errors.SpeechFaceError("no channel is selected; select one in the table"))
        rig.channels.remove(rig.active_channel)
        rig.active_channel = max(0, min(rig.active_channel, len(rig.channels) - 1))
        return {"FINISHED"}


CLASSES = (
    SPEECHFACE_OT_detect_rig,
    SPEECHFACE_OT_choose_preset,
    SPEECHFACE_OT_load_mapping,
    SPEECHFACE_OT_save_mapping,
    SPEECHFACE_OT_add_channel,
    SPEECHFACE_OT_remove_channel,
)


def register() -> None:
    """Registers the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
