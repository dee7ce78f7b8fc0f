# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines what a user can do with the list of characters, their strips and their photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty

from .. import compat, words
from .._shared import protocol
from ..pictures import picture_places
from ..properties import active_character
from ..sentences import allow
from ..session import session
from . import cast

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_STRIPS: list[tuple[str, str, str, str, int]] = []  # Blender needs the texts of an enumeration to stay


def _strip_items(_operator: object, context: bpy.types.Context | None) -> list[tuple[str, str, str, str, int]]:
    """Every sound strip of the file; those of the active scene have no scene's name before theirs."""
    _STRIPS.clear()
    here = context.scene if context is not None else None
    for number, (scene, strip) in enumerate(cast.strips()):
        label = strip.name if scene == here else f"{scene.name}: {strip.name}"
        where = words.fill("In the sequencer of {0}", scene.name)
        _STRIPS.append((f"{scene.name}\n{strip.name}", label, where, "SOUND", number))
    return _STRIPS


class SPEECHFACE_OT_add_character(bpy.types.Operator):
    """Add a character, with a voice, a face and a rig of its own"""

    bl_idname = "speechface.add_character"
    bl_label = "Add Character"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    name: StringProperty(name="Name", description="What the character is called", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Adds it and makes it active."""
        cast.add(context.scene, self.name)
        return {"FINISHED"}


class SPEECHFACE_OT_remove_character(bpy.types.Operator):
    """Remove this character from the list; keys, rig and pictures stay in the scene"""

    bl_idname = "speechface.remove_character"
    bl_label = "Remove Character"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is one."""
        return allow(cls, active_character(context.scene) is not None, "There is no character")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Removes it."""
        cast.remove(context.scene)
        return {"FINISHED"}


class SPEECHFACE_OT_add_voice(bpy.types.Operator):
    """Choose a sound strip that this character speaks, from the sequencer of any scene"""

    bl_idname = "speechface.add_voice"
    bl_label = "Add Sound Strip"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)
    bl_property = "strip"

    strip: EnumProperty(name="Sound Strip", items=_strip_items, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is a strip."""
        has_strip = next(cast.strips(), None) is not None
        cls.poll_message_set("" if has_strip else words.fill("There is no sound strip; add the speech as a file"))
        return has_strip

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Opens the list of strips, with a field to search in."""
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Adds it to the active character."""
        scene_name, _, name = self.strip.partition("\n")
        for scene, strip in cast.strips():
            if (scene.name, strip.name) == (scene_name, name):
                cast.add_voice(cast.active(context.scene), scene, strip)
                return {"FINISHED"}
        self.report({"ERROR"}, words.fill("The sound strip {0!r} is gone; choose another", name))
        return {"CANCELLED"}


class SPEECHFACE_OT_add_sound_file(bpy.types.Operator):
    """Add a sound or video file as a strip, at the current frame, that this character speaks"""

    bl_idname = "speechface.add_sound_file"
    bl_label = "Add Sound File"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_sound: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Opens the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Lays the strip into a free channel, where it is heard, and gives it to the active character."""
        path = Path(bpy.path.abspath(self.filepath))
        if not path.is_file():
            self.report({"ERROR"}, words.fill("There is no file {0!r}; choose a sound or a video", str(path)))
            return {"CANCELLED"}
        scene = compat.sequencer_scene(context)
        try:
            strip = cast.add_strip(scene, path, scene.frame_current)
        except RuntimeError as error:
            why = str(error).strip()
            said = words.fill("{0!r} cannot be read ({1}); choose a sound or a video", path.name, why)
            self.report({"ERROR"}, said)
            return {"CANCELLED"}
        cast.add_voice(cast.active(context.scene), scene, strip)
        return {"FINISHED"}


class SPEECHFACE_OT_remove_voice(bpy.types.Operator):
    """Remove this strip from the list; the strip and its keys stay"""

    bl_idname = "speechface.remove_voice"
    bl_label = "Remove Sound Strip"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is one."""
        character = active_character(context.scene)
        return allow(cls, character is not None and len(character.voices) > 0, "The list is empty")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Removes one row."""
        character = cast.active(context.scene)
        character.voices.remove(min(character.active_voice, len(character.voices) - 1))
        character.active_voice = max(0, min(character.active_voice, len(character.voices) - 1))
        return {"FINISHED"}


class SPEECHFACE_OT_add_images(bpy.types.Operator):
    """Add photos of the face: one person, looking at the camera; one is enough, 20 at most"""

    bl_idname = "speechface.add_images"
    bl_label = "Add Reference Images"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_image: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Opens the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Loads the chosen files and adds a row for each."""
        rows = cast.active(context.scene).images
        names = [file.name for file in self.files if file.name]
        if not names:
            self.report({"ERROR"}, "No file was chosen; select one or more photos")
            return {"CANCELLED"}
        if len(rows) + len(names) > protocol.MAX_IMAGE_COUNT:
            said = words.fill("At most {0} reference images are used; choose fewer", protocol.MAX_IMAGE_COUNT)
            self.report({"ERROR"}, said)
            return {"CANCELLED"}
        paths = [Path(bpy.path.abspath(self.directory)) / name for name in names]
        if missing := [path for path in paths if not path.is_file()]:
            said = words.fill("{0} does not exist; choose PNG, JPEG, HEIC, TIFF or WebP photos", missing[0])
            self.report({"ERROR"}, said)
            return {"CANCELLED"}
        for path in paths:
            image = bpy.data.images.load(str(path), check_existing=True)
            image.preview_ensure()
            rows.add().image = image
        return {"FINISHED"}


class SPEECHFACE_OT_add_image_slot(bpy.types.Operator):
    """Add an empty row, for an image that is already in this file"""

    bl_idname = "speechface.add_image_slot"
    bl_label = "Add Image Slot"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Adds the row and makes it active."""
        wanted = cast.active(context.scene)
        wanted.images.add()
        wanted.active_image = len(wanted.images) - 1
        return {"FINISHED"}


class SPEECHFACE_OT_remove_image(bpy.types.Operator):
    """Remove this image from the list; the image itself stays in the file"""

    bl_idname = "speechface.remove_image"
    bl_label = "Remove Reference Image"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    index: IntProperty(default=-1, description="Row to remove; -1 for the active one", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is a row."""
        character = active_character(context.scene)
        return allow(cls, character is not None and len(character.images) > 0, "The list is empty")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Removes one row."""
        wanted = cast.active(context.scene)
        index = wanted.active_image if self.index < 0 else self.index
        if index >= len(wanted.images):
            self.report({"ERROR"}, words.fill("There is no image in row {0}; select one", index + 1))
            return {"CANCELLED"}
        wanted.images.remove(index)
        wanted.active_image = max(0, min(wanted.active_image, len(wanted.images) - 1))
        return {"FINISHED"}


class SPEECHFACE_OT_clean_up(bpy.types.Operator):
    """Delete the pictures of earlier runs that this file shows no more"""

    bl_idname = "speechface.clean_up"
    bl_label = "Clean Up"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a face is being generated."""
        cls.poll_message_set(words.fill("A face is being generated"))
        return session.generation is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Says first how much that is."""
        found = picture_places.unused(context)
        if not found:
            self.report({"INFO"}, "Nothing to clean up: all pictures are shown")
            return {"CANCELLED"}
        said = words.fill("{0}; undo will not show them again", _described(found))
        return context.window_manager.invoke_confirm(self, event, title="Clean Up", message=said)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Deletes them."""
        found = picture_places.unused(context)
        left = [item for item in found if not picture_places.remove(item)]
        if left:
            self.report({"WARNING"}, words.fill("{0} cannot be deleted; close what uses it", left[0].folder))
        gone = [item for item in found if item not in left]
        self.report({"INFO"}, words.fill("Deleted {0}", _described(gone)))
        return {"FINISHED"}


def _described(found: list[picture_places.Unused]) -> str:
    megabytes = sum(item.size for item in found) / 1e6
    count = len(found)
    return words.fill(
        "{0} folder of pictures, {1:.1f} MB" if count == 1 else "{0} folders of pictures, {1:.1f} MB", count, megabytes
    )


_CLASSES = (
    SPEECHFACE_OT_clean_up,
    SPEECHFACE_OT_add_character,
    SPEECHFACE_OT_remove_character,
    SPEECHFACE_OT_add_voice,
    SPEECHFACE_OT_add_sound_file,
    SPEECHFACE_OT_remove_voice,
    SPEECHFACE_OT_add_images,
    SPEECHFACE_OT_add_image_slot,
    SPEECHFACE_OT_remove_image,
)


def register() -> None:
    """Registers the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
