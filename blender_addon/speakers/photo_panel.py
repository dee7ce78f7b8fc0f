# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws whose face a character has: its photos with what was found in them, or the faces that were learnt."""

from __future__ import annotations

import bpy

from .. import words
from ..orders import sentence_of
from ..properties import SPEECHFACE_Character
from ..sentences import draw_sentence
from . import learnt_faces, photo_landmarks
from .photo_properties import SPEECHFACE_ReferenceImage

_PREVIEW = 6.0  # times the height of a line
_UNSURE = 0.5  # confidence below which a landmark should be looked at


class SPEECHFACE_UL_images(bpy.types.UIList):
    """The photos of a character."""

    bl_idname = "SPEECHFACE_UL_images"

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
        """Draws one row: the photo small, a field to exchange it, and what was found in it."""
        image = item.image
        row = layout.row(align=True)
        if image is not None and image.preview is not None:
            row.label(text="", icon_value=image.preview.icon_id)
        row.prop(item, "image", text="", emboss=image is None)
        if sign := _sign(item):
            row.label(text="", icon=sign)


class SPEECHFACE_UL_faces(bpy.types.UIList):
    """The faces that the backend keeps."""

    bl_idname = "SPEECHFACE_UL_faces"

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
        """Draws one row: the face small, its name, and from how many photos it was learnt."""
        row = layout.row(align=True)
        row.label(text=item.name, icon_value=learnt_faces.icon_of(item.identity))
        count = row.row()
        count.alignment = "RIGHT"
        if item.is_damaged or item.is_outdated:
            count.label(text="damaged" if item.is_damaged else "outdated", icon="ERROR")
        count.label(text=words.fill("{0} photo" if item.image_count == 1 else "{0} photos", item.image_count))


def draw_face(layout: bpy.types.UILayout, context: bpy.types.Context, character: SPEECHFACE_Character) -> None:
    """Draws whose face the character has."""
    layout.row(align=True).prop(character, "face_source", expand=True)
    if character.face_source == photo_landmarks.LEARNT:
        _draw_learnt(layout, context, character)
    else:
        _draw_photos(layout, character)


def _draw_photos(layout: bpy.types.UILayout, character: SPEECHFACE_Character) -> None:
    count = len(character.images)
    layout.label(text=words.fill("Photos ({0})", count) if count else "Photos")
    if not count:
        layout.operator("speechface.add_images", text="Choose Photos...", icon="FILE_FOLDER")
        return
    row = layout.row()
    row.template_list("SPEECHFACE_UL_images", "", character, "images", character, "active_image", rows=3, maxrows=6)
    buttons = row.column(align=True)
    buttons.operator("speechface.add_images", text="", icon="FILE_FOLDER")
    buttons.operator("speechface.add_image_slot", text="", icon="ADD")
    buttons.operator("speechface.remove_image", text="", icon="REMOVE")
    photo = character.images[min(character.active_image, count - 1)]
    if photo.image is not None:
        _draw_photo(layout, photo)


def _draw_photo(layout: bpy.types.UILayout, photo: SPEECHFACE_ReferenceImage) -> None:
    """Draws the active photo large, and its landmarks, closed at first."""
    if photo.image.preview is not None:
        layout.template_icon(icon_value=photo.image.preview.icon_id, scale=_PREVIEW)
    header, body = layout.panel("SPEECHFACE_photo", default_closed=True)
    count = photo_landmarks.corrected_count(photo)
    header.label(text=words.fill("Landmarks ({0} corrected)", count) if count else "Landmarks")
    if photo.problem:
        draw_sentence(layout, photo.problem, "ERROR")
    if len(photo.faces) > 1:
        _draw_faces(layout, photo)
    if body is None:
        return
    column = body.column(align=True)
    column.operator_context = "INVOKE_DEFAULT"
    column.operator("speechface.find_photo_landmarks", icon="VIEWZOOM")
    column.operator("speechface.show_photo", icon="IMAGE_DATA")
    if photo.points:
        column.operator("speechface.drag_photo_landmarks", icon="VIEW_PAN")
        column.operator("speechface.reset_photo_landmarks", icon="LOOP_BACK")
        if unsure := sum(point.confidence < _UNSURE for point in photo.points):
            draw_sentence(body, words.fill("{0} of 68 are unsure; look at them", unsure), "INFO")
    elif not photo.problem:
        draw_sentence(body, "Generate finds them by itself; find them here to see and correct them", "INFO")


def _draw_faces(layout: bpy.types.UILayout, photo: SPEECHFACE_ReferenceImage) -> None:
    """Draws a button for each face of a photo, from left to right."""
    count = len(photo.faces)
    draw_sentence(layout, words.fill("{0} faces, from the left; the one that is learnt:", count), "INFO")
    row = layout.row(align=True)
    row.operator_context = "INVOKE_DEFAULT"
    for place, number in enumerate(sorted(range(len(photo.faces)), key=lambda face: photo.faces[face].middle[0])):
        icon = "RADIOBUT_ON" if number == photo.taken else "RADIOBUT_OFF"
        row.operator("speechface.choose_photo_face", text=str(place + 1), icon=icon).face = number


def _draw_learnt(layout: bpy.types.UILayout, context: bpy.types.Context, character: SPEECHFACE_Character) -> None:
    wm = context.window_manager
    row = layout.row()
    row.template_list("SPEECHFACE_UL_faces", "", wm, "speech_face_faces", wm, "speech_face_active_face", rows=3)
    buttons = row.column(align=True)
    buttons.operator_context = "INVOKE_DEFAULT"
    buttons.operator("speechface.refresh_faces", text="", icon="FILE_REFRESH")
    buttons.operator("speechface.import_face", text="", icon="IMPORT")
    face = learnt_faces.face_of(context, "")
    if face is not None:
        buttons.operator("speechface.export_face", text="", icon="EXPORT")
        buttons.operator("speechface.rename_face", text="", icon="GREASEPENCIL")
        buttons.operator("speechface.delete_face", text="", icon="TRASH")
        if icon := learnt_faces.icon_of(face.identity):
            layout.template_icon(icon_value=icon, scale=_PREVIEW)
        layout.operator("speechface.use_face", text=words.fill("Use {0}", face.name), icon="CHECKMARK")
    if character.identity:
        layout.label(text=words.fill("Face: {0}", character.identity_name), icon="USER")
    asked = learnt_faces.last()
    if asked is not None and asked.error is not None:
        draw_sentence(layout, sentence_of(asked.error), "ERROR")
    elif asked is not None:
        draw_sentence(layout, asked.sentence or "Waiting for the backend", "INFO")


def _sign(photo: SPEECHFACE_ReferenceImage) -> str:
    """The icon of what was found in a photo; empty where it was not looked at."""
    if photo.problem:
        return "ERROR"
    if len(photo.faces) > 1 and not photo.has_chosen:
        return "COMMUNITY"
    if photo_landmarks.corrected_count(photo):
        return "GREASEPENCIL"
    return "CHECKMARK" if photo.points else ""


CLASSES = (SPEECHFACE_UL_images, SPEECHFACE_UL_faces)


def register() -> None:
    """Registers the lists."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the lists."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
