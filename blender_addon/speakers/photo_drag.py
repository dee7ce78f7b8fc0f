# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Defines how a user drags landmarks over a photo in the Image Editor, and chooses another face there by a click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np

from .. import compat, words
from .._shared import errors
from ..properties import active_character
from ..session import redraw, session
from . import photo_landmarks, photo_view
from .photo_operators import PhotoOperator, show
from .photo_properties import SPEECHFACE_ReferenceImage
from .photo_view import PhotoView

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_HELP = "Drag: move   Click another face: take it   Enter or right click: done   Esc: put all back"
_REACH_PIXELS = 24  # how far from a landmark a click still takes it
_DONE = ("RET", "NUMPAD_ENTER", "RIGHTMOUSE")


class PhotoDrag:
    """Moves the landmarks of a photo with the mouse until it is over; pixels are those of the region.

    Args:
        photo: whose landmarks are dragged.
    """

    def __init__(self, photo: SPEECHFACE_ReferenceImage) -> None:
        self._before = photo_landmarks.places(photo).tolist()
        self._held: int | None = None
        self._gap = np.zeros(2)  # from the mouse to the landmark, which does not leap to it

    def press(self, photo: SPEECHFACE_ReferenceImage, view: PhotoView, x: float, y: float) -> int | None:
        """Takes the landmark at a pixel; elsewhere returns the other face that was clicked, if one was."""
        self._held = self._under(photo, view, x, y)
        if self._held is None:
            clicked = photo_landmarks.face_at(photo, view.place(photo, x, y))
            return clicked if clicked != photo.taken else None
        photo.active_point = self._held
        self._gap = np.array(photo.points[self._held].place) - view.place(photo, x, y)
        return None

    def release(self) -> None:
        """Leaves the landmark where it is."""
        self._held = None

    def move(self, photo: SPEECHFACE_ReferenceImage, view: PhotoView, x: float, y: float) -> None:
        """Moves the landmark that is held, or makes the one at the pixel the active one."""
        if self._held is None:
            if (under := self._under(photo, view, x, y)) is not None:
                photo.active_point = under
            return
        to = np.array(view.place(photo, x, y)) + self._gap
        photo_landmarks.place(photo, self._held, float(to[0]), float(to[1]))

    def undo(self, photo: SPEECHFACE_ReferenceImage) -> None:
        """Puts all landmarks back to where they were at the beginning."""
        for point, place in zip(photo.points, self._before, strict=False):
            point.place = place

    def _under(self, photo: SPEECHFACE_ReferenceImage, view: PhotoView, x: float, y: float) -> int | None:
        if not photo.points:
            return None
        away = np.linalg.norm(view.seen(photo, photo_landmarks.places(photo)) - (x, y), axis=1)
        nearest = int(away.argmin())
        return nearest if away[nearest] <= _REACH_PIXELS * bpy.context.preferences.system.pixel_size else None


class SPEECHFACE_OT_drag_photo_landmarks(PhotoOperator, bpy.types.Operator):
    """Drag landmarks over the photo in the Image Editor, to where each belongs; a click takes another face"""

    bl_idname = "speechface.drag_photo_landmarks"
    bl_label = "Drag Landmarks"
    bl_options = {"UNDO"}  # noqa: RUF012 (Blender's own way; it cannot be repeated without the mouse)

    _drag: PhotoDrag | None = None
    _image = ""  # its name; no image is kept from one event to the next

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Shows the photo and takes the mouse until Enter or Esc."""
        if not compat.has_event_loop():
            return self.execute(context)
        try:
            photo = photo_landmarks.photo_at(active_character(context.scene), -1)
            if not photo.points and len(photo.faces) < 2:
                raise errors.ImageError(f"there are no landmarks on {photo.image.name!r}; press Find Landmarks first")
            if not any(area.spaces.active.image == photo.image for _, area in photo_view.editors(context)):
                show(context, photo.image)
        except errors.SpeechFaceError as error:
            return self._refuse(error)
        self._drag, self._image = PhotoDrag(photo), photo.image.name
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(words.translate(_HELP))
        photo_view.redraw_editors(context)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Says that there is no mouse."""
        return self._refuse(errors.SpeechFaceError("there is no window to drag in; use Set Landmark instead"))

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Follows the mouse over the photo; everything else goes on as usual."""
        photo = photo_landmarks.shown_photo(active_character(context.scene), bpy.data.images.get(self._image))
        if photo is None:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "ESC":
            self._drag.undo(photo)
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in _DONE and event.value == "PRESS":
            self.cancel(context)
            return {"FINISHED"}
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._drag.release()
            return {"RUNNING_MODAL"}
        under = photo_view.view_under(context.window, photo.image, event.mouse_x, event.mouse_y)
        if under is None or event.type not in ("LEFTMOUSE", "MOUSEMOVE"):
            return {"PASS_THROUGH"}
        return self._follow(context, event, photo, under)

    def _follow(
        self,
        context: bpy.types.Context,
        event: bpy.types.Event,
        photo: SPEECHFACE_ReferenceImage,
        under: tuple[PhotoView, tuple[int, int]],
    ) -> set[OperatorReturnItems]:
        view, (x, y) = under
        if event.type == "MOUSEMOVE":
            self._drag.move(photo, view, x, y)
        elif (face := self._drag.press(photo, view, x, y)) is not None and session.generation is None:
            rows = active_character(context.scene).images
            row = next(number for number, item in enumerate(rows) if item == photo)
            self.cancel(context)
            bpy.ops.speechface.choose_photo_face("INVOKE_DEFAULT", photo=row, face=face)
            return {"FINISHED"}
        name = photo.points[photo.active_point].name if photo.points else ""
        context.workspace.status_text_set(f"{name}   {words.translate(_HELP)}")
        photo_view.redraw_editors(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Gives the mouse back, also when Blender ends the operator."""
        context.workspace.status_text_set(None)
        photo_view.redraw_editors(context)
        redraw()


def register() -> None:
    """Registers the operator."""
    bpy.utils.register_class(SPEECHFACE_OT_drag_photo_landmarks)


def unregister() -> None:
    """Removes the operator."""
    bpy.utils.unregister_class(SPEECHFACE_OT_drag_photo_landmarks)
