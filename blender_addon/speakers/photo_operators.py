# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Defines how a user finds the landmarks of photos, chooses one of several faces, sets landmarks and resets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import FloatProperty, IntProperty

from .. import compat, words
from .._shared import errors
from ..orders import sentence_of
from ..properties import SPEECHFACE_Character, active_character
from ..run_operator import RunOperator
from ..session import redraw
from . import photo_landmarks, photo_search, photo_view

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_PHOTO = {"default": -1, "min": -1, "options": {"SKIP_SAVE"}}


class PhotoOperator:
    """What these operators share: the active character has photos, and errors are reported."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's own way)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is a photo."""
        character = active_character(context.scene)
        has_photos = character is not None and len(character.images) > 0
        cls.poll_message_set("" if has_photos else words.fill("Add a photo first"))
        return has_photos

    def _refuse(self, error: errors.SpeechFaceError) -> set[OperatorReturnItems]:
        self.report({"ERROR"}, sentence_of(error))
        return {"CANCELLED"}


class _Search(RunOperator, PhotoOperator):
    """An operator that looks at photos."""

    unchanged = "Cancelled; the landmarks are unchanged"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when nothing is missing; the tooltip says what is."""
        reason = photo_search.disabled_reason(context)
        cls.poll_message_set(reason)
        return not reason


class SPEECHFACE_OT_find_photo_landmarks(_Search, bpy.types.Operator):
    """Find the face and its 68 landmarks in every photo, to see and correct them; corrected photos stay as they are"""

    bl_idname = "speechface.find_photo_landmarks"
    bl_label = "Find Landmarks"

    photo: IntProperty(name="Photo", description="Row of the photo; -1 for all that were not corrected", **_PHOTO)

    def _start(self, context: bpy.types.Context) -> photo_search.PhotoSearch:
        if self.photo < 0:
            return photo_search.begin(context)
        photo_landmarks.photo_at(active_character(context.scene), self.photo)
        return photo_search.begin(context, [self.photo])


class SPEECHFACE_OT_choose_photo_face(_Search, bpy.types.Operator):
    """Learn this one of the faces in the photo, and find its landmarks"""

    bl_idname = "speechface.choose_photo_face"
    bl_label = "Choose Face"

    unchanged = "Cancelled; the face is chosen, and Generate finds its landmarks"

    photo: IntProperty(name="Photo", description="Row of the photo; -1 for the active one", **_PHOTO)
    face: IntProperty(name="Face", description="Which of the faces, the largest is 0", min=0, options={"SKIP_SAVE"})

    def _start(self, context: bpy.types.Context) -> photo_search.PhotoSearch:
        character = active_character(context.scene)
        photo_landmarks.choose(photo_landmarks.photo_at(character, self.photo), self.face)
        return photo_search.begin(context, [_row(character, self.photo)])


class SPEECHFACE_OT_set_photo_landmark(PhotoOperator, bpy.types.Operator):
    """Put a landmark at a pixel of the photo"""

    bl_idname = "speechface.set_photo_landmark"
    bl_label = "Set Landmark"

    photo: IntProperty(name="Photo", description="Row of the photo; -1 for the active one", **_PHOTO)
    landmark: IntProperty(name="Landmark", description="Number of the landmark", min=0, max=67, options={"SKIP_SAVE"})
    x: FloatProperty(name="X", description="Pixels from the left of the upright photo", options={"SKIP_SAVE"})
    y: FloatProperty(name="Y", description="Pixels from its top", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Sets it."""
        try:
            photo = photo_landmarks.photo_at(active_character(context.scene), self.photo)
            photo_landmarks.place(photo, self.landmark, self.x, self.y)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        photo_view.redraw_editors(context)
        return {"FINISHED"}


class SPEECHFACE_OT_reset_photo_landmarks(PhotoOperator, bpy.types.Operator):
    """Put the landmarks of the photo back to where they were found"""

    bl_idname = "speechface.reset_photo_landmarks"
    bl_label = "Reset Landmarks"

    photo: IntProperty(name="Photo", description="Row of the photo; -1 for the active one", **_PHOTO)
    landmark: IntProperty(default=-1, description="Number of the landmark; -1 for all", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Resets one or all."""
        try:
            photo = photo_landmarks.photo_at(active_character(context.scene), self.photo)
            count = photo_landmarks.reset(photo, None if self.landmark < 0 else self.landmark)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        photo_view.redraw_editors(context)
        redraw()
        said = words.fill(
            "{0} landmark put back to where found" if count == 1 else "{0} landmarks put back to where found", count
        )
        self.report({"INFO"}, said)
        return {"FINISHED"}


class SPEECHFACE_OT_show_photo(PhotoOperator, bpy.types.Operator):
    """Show the photo in an Image Editor; where there is none, in a new window"""

    bl_idname = "speechface.show_photo"
    bl_label = "Show Photo"
    bl_options = {"REGISTER"}  # noqa: RUF012 (Blender's own way)

    photo: IntProperty(name="Photo", description="Row of the photo; -1 for the active one", **_PHOTO)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Shows it."""
        try:
            show(context, photo_landmarks.photo_at(active_character(context.scene), self.photo).image)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        return {"FINISHED"}


def show(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Shows an image in an Image Editor; where there is none, in a new window.

    Raises:
        SpeechFaceError: there is neither an Image Editor nor a window.
    """
    found = photo_view.editors(context)
    if not found:
        if not compat.has_event_loop():
            raise errors.SpeechFaceError("there is no Image Editor and no window; open an Image Editor first")
        bpy.ops.wm.window_new()
        window = context.window_manager.windows[-1]
        window.screen.areas[0].ui_type = "IMAGE_EDITOR"
        found = [(window, window.screen.areas[0])]
    window, area = found[0]
    area.spaces.active.image = image
    if compat.has_event_loop():
        region = next(region for region in area.regions if region.type == "WINDOW")
        with context.temp_override(window=window, area=area, region=region):
            bpy.ops.image.view_all(fit_view=True)
    area.tag_redraw()


def _row(character: SPEECHFACE_Character, number: int) -> int:
    return min(character.active_image, len(character.images) - 1) if number < 0 else number


CLASSES = (
    SPEECHFACE_OT_find_photo_landmarks,
    SPEECHFACE_OT_choose_photo_face,
    SPEECHFACE_OT_set_photo_landmark,
    SPEECHFACE_OT_reset_photo_landmarks,
    SPEECHFACE_OT_show_photo,
)


def register() -> None:
    """Registers the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
