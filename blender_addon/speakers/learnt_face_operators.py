# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines what a user can do with the faces that the backend has learnt.

In a window an operator asks and returns, and the panels show what comes of it. A script, and `blender -b`, wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, StringProperty

from .. import compat, words
from .._shared import errors, face_messages
from ..orders import sentence_of
from ..session import redraw
from . import cast, learnt_faces
from .conversation import Talk
from .photo_landmarks import LEARNT

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_IDENTITY = {"description": "ID of the face; empty for the active one of the list", "options": {"SKIP_SAVE"}}


class FaceOperator:
    """What these operators share: a question to the backend, in `_talk(context)`."""

    _talk: Callable[[bpy.types.Context], Talk]
    _is_asynchronous = False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Does it without blocking the window."""
        self._is_asynchronous = compat.has_event_loop()
        return self._begin(context, event)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Asks; waits for the answer unless a user is at the window."""
        try:
            talk = self._talk(context)
            if self._is_asynchronous:
                learnt_faces.start(context, talk)
                redraw()
                return {"FINISHED"}
            sentence = learnt_faces.ask_at_once(context, talk)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        redraw()
        self.report({"INFO"}, sentence)
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        return self.execute(context)

    def _refuse(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        self.report({"ERROR"}, sentence_of(error))
        return {"CANCELLED"}

    def _chosen(self, context: bpy.types.Context) -> tuple[str, str]:
        """ID and name of the face that is meant.

        Raises:
            SpeechFaceError: none was given, and none is listed.
        """
        face = learnt_faces.face_of(context, self.identity)
        if face is None and not self.identity:
            raise errors.SpeechFaceError("no learnt face is listed; press Refresh, or generate one from photos")
        return (self.identity, self.identity[:8]) if face is None else (face.identity, face.name)


class SPEECHFACE_OT_refresh_faces(FaceOperator, bpy.types.Operator):
    """Ask the backend which faces it has learnt and keeps"""

    bl_idname = "speechface.refresh_faces"
    bl_label = "Refresh"

    def _talk(self, context: bpy.types.Context) -> Talk:
        return learnt_faces.listing()


class SPEECHFACE_OT_use_face(FaceOperator, bpy.types.Operator):
    """Give this character the learnt face; Generate then needs no photos"""

    bl_idname = "speechface.use_face"
    bl_label = "Use"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    identity: StringProperty(name="Face", **_IDENTITY)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Keeps it with the character; the backend is not asked."""
        try:
            identity, name = self._chosen(context)
            face = learnt_faces.face_of(context, identity)
            if face is not None and face.is_damaged:
                raise errors.SpeechFaceError(f"the files of {name!r} are damaged; learn it again from its photos")
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        character = cast.active(context.scene)
        character.identity, character.identity_name, character.face_source = identity, name, LEARNT
        return {"FINISHED"}


class SPEECHFACE_OT_rename_face(FaceOperator, bpy.types.Operator):
    """Give the learnt face a name; an empty one brings the names of its photos back"""

    bl_idname = "speechface.rename_face"
    bl_label = "Rename"

    identity: StringProperty(name="Face", **_IDENTITY)
    name: StringProperty(name="Name", maxlen=face_messages.MAX_FACE_NAME, options={"SKIP_SAVE"})

    def _begin(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        try:
            self.identity, self.name = self._chosen(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the name alone."""
        self.layout.prop(self, "name")

    def _talk(self, context: bpy.types.Context) -> Talk:
        return learnt_faces.renaming(self._chosen(context)[0], self.name)


class SPEECHFACE_OT_delete_face(FaceOperator, bpy.types.Operator):
    """Delete the learnt face from the backend; what was generated with it stays"""

    bl_idname = "speechface.delete_face"
    bl_label = "Delete"

    identity: StringProperty(name="Face", **_IDENTITY)

    def _begin(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        try:
            self.identity, name = self._chosen(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        said = words.fill("{0} is deleted for all files; undo will not bring it back", name)
        return context.window_manager.invoke_confirm(self, event, title="Delete Face", message=said)

    def _talk(self, context: bpy.types.Context) -> Talk:
        return learnt_faces.deleting(*self._chosen(context))


class _FileOperator(FaceOperator):
    """An operator that asks for a file first."""

    def _begin(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def _path(self) -> Path:
        if not self.filepath:
            raise errors.SpeechFaceError("no file was named; choose one")
        return Path(bpy.path.abspath(self.filepath))


class SPEECHFACE_OT_export_face(_FileOperator, bpy.types.Operator):
    """Write the learnt face into a file, for another machine or a colleague"""

    bl_idname = "speechface.export_face"
    bl_label = "Export"

    identity: StringProperty(name="Face", **_IDENTITY)
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: StringProperty(default=f"*{learnt_faces.SUFFIX}", options={"SKIP_SAVE", "HIDDEN"})

    def _begin(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        try:
            self.identity, name = self._chosen(context)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        self.filepath = bpy.path.clean_name(name) + learnt_faces.SUFFIX
        return super()._begin(context, event)

    def _talk(self, context: bpy.types.Context) -> Talk:
        path = Path(bpy.path.ensure_ext(str(self._path()), learnt_faces.SUFFIX))
        return learnt_faces.exporting(self._chosen(context)[0], path)


class SPEECHFACE_OT_import_face(_FileOperator, bpy.types.Operator):
    """Take in a learnt face from a file that Export, or the command identities export, wrote"""

    bl_idname = "speechface.import_face"
    bl_label = "Import"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=f"*{learnt_faces.SUFFIX}", options={"SKIP_SAVE", "HIDDEN"})

    def _talk(self, context: bpy.types.Context) -> Talk:
        return learnt_faces.importing(self._path())


CLASSES = (
    SPEECHFACE_OT_refresh_faces,
    SPEECHFACE_OT_use_face,
    SPEECHFACE_OT_rename_face,
    SPEECHFACE_OT_delete_face,
    SPEECHFACE_OT_export_face,
    SPEECHFACE_OT_import_face,
)


def register() -> None:
    """Registers the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
