# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines what a user can do. Each operator calls a function of another module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty

from . import compat, generation, preferences
from ._shared import errors, protocol
from .properties import scene_settings
from .session import redraw, session, watch

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_TICK_SECONDS = 0.1


class SPEECHFACE_OT_generate(bpy.types.Operator):
    """Make the face speak: landmark curves and picture from the sound strip and the reference images"""

    bl_idname = "speechface.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when nothing is missing; the tooltip says what is."""
        reason = generation.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Starts the job without blocking the window."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            generation.begin(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        self._timer = context.window_manager.event_timer_add(_TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        watch()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Takes one step of the job per timer event."""
        if event.type != "TIMER" or (running := session.generation) is None:
            return {"PASS_THROUGH"}
        running.job.tick()
        redraw()
        return self._end(context) if running.job.is_over else {"PASS_THROUGH"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Does the whole job before it returns, for scripts and `blender -b`."""
        try:
            generation.begin(context).job.run_until_done()
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        return self._end(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Stops the job when Blender ends the operator: another file is opened, or the window closes."""
        self._drop_timer(context)
        if session.generation is not None:
            session.generation.discard()
            session.generation = None

    def _end(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        self._drop_timer(context)
        try:
            self.report({"INFO"}, generation.end(context))
        except errors.Cancelled:
            self.report({"WARNING"}, "Cancelled; the scene is unchanged")
            return {"CANCELLED"}
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        finally:
            redraw()
        return {"FINISHED"}

    def _drop_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _refuse(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        session.failure = generation.sentence_of(error)
        redraw()
        self.report({"ERROR"}, session.failure)
        return {"CANCELLED"}


class SPEECHFACE_OT_cancel(bpy.types.Operator):
    """Stop generating; the scene does not change"""

    bl_idname = "speechface.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while a face is being generated."""
        return session.generation is not None

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Ends the running job at once; Generate itself notices at its next timer event."""
        if session.generation is not None:
            session.generation.job.cancel()
            session.generation.job.tick()
        return {"FINISHED"}


class SPEECHFACE_OT_add_images(bpy.types.Operator):
    """Add photos of the face: one person, looking at the camera; one is enough, 20 at most"""

    bl_idname = "speechface.add_images"
    bl_label = "Add Reference Images"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Opens the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Loads the chosen files and adds a row for each."""
        rows = scene_settings(context.scene).images
        names = [file.name for file in self.files if file.name]
        if not names:
            self.report({"ERROR"}, "No file was chosen; select one or more photos")
            return {"CANCELLED"}
        if len(rows) + len(names) > protocol.MAX_IMAGE_COUNT:
            self.report({"ERROR"}, f"At most {protocol.MAX_IMAGE_COUNT} reference images are used; choose fewer")
            return {"CANCELLED"}
        paths = [Path(bpy.path.abspath(self.directory)) / name for name in names]
        if missing := [path for path in paths if not path.is_file()]:
            self.report({"ERROR"}, f"{missing[0]} does not exist; choose PNG, JPEG, HEIC, TIFF or WebP photos")
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
        wanted = scene_settings(context.scene)
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
        return len(scene_settings(context.scene).images) > 0

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Removes one row."""
        wanted = scene_settings(context.scene)
        index = wanted.active_image if self.index < 0 else self.index
        if index >= len(wanted.images):
            self.report({"ERROR"}, f"There is no image in row {index + 1}; select one")
            return {"CANCELLED"}
        wanted.images.remove(index)
        wanted.active_image = max(0, min(wanted.active_image, len(wanted.images) - 1))
        return {"FINISHED"}


class SPEECHFACE_OT_start_backend(bpy.types.Operator):
    """Start the backend, or connect to the one that the preferences name; Generate also does this"""

    bl_idname = "speechface.start_backend"
    bl_label = "Start Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while no job runs."""
        return session.generation is None

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Starts it without waiting for it."""
        try:
            session.connect(preferences.settings(context))
        except errors.SpeechFaceError as error:
            session.failure = generation.sentence_of(error)
            redraw()
            self.report({"ERROR"}, session.failure)
            return {"CANCELLED"}
        session.failure = ""
        watch()
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_stop_backend(bpy.types.Operator):
    """Stop the backend that this Blender started, or disconnect from another one"""

    bl_idname = "speechface.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while there is one, and no job runs on it."""
        return session.is_connected and session.generation is None

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Stops it and frees its memory."""
        session.close()
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_dismiss_failure(bpy.types.Operator):
    """Stop showing what went wrong"""

    bl_idname = "speechface.dismiss_failure"
    bl_label = "Dismiss"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when a failure is shown."""
        return bool(session.failure)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Forgets it."""
        session.failure = ""
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_copy_log(bpy.types.Operator):
    """Copy the end of the backend's log to the clipboard"""

    bl_idname = "speechface.copy_log"
    bl_label = "Copy Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when this Blender started a backend."""
        return session.backend is not None

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Copies it and names the file of the whole log."""
        if session.backend is None:
            return {"CANCELLED"}
        context.window_manager.clipboard = session.backend.log_tail()
        self.report({"INFO"}, f"Copied; the whole log is in {session.backend.log_file}")
        return {"FINISHED"}


_CLASSES = (
    SPEECHFACE_OT_generate,
    SPEECHFACE_OT_cancel,
    SPEECHFACE_OT_add_images,
    SPEECHFACE_OT_add_image_slot,
    SPEECHFACE_OT_remove_image,
    SPEECHFACE_OT_start_backend,
    SPEECHFACE_OT_stop_backend,
    SPEECHFACE_OT_dismiss_failure,
    SPEECHFACE_OT_copy_log,
)


def register() -> None:
    """Registers the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
