# pyright: reportInvalidTypeForm=false
"""Stores of each photo of a character the faces in it, and the landmarks of the one that is meant.

Pixels are those of the upright photo, x right, y down, (0, 0) the middle of the first. `photo_landmarks` reads and
writes them.
"""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import photo_orientation


class SPEECHFACE_PhotoPoint(bpy.types.PropertyGroup):
    """One landmark of a photo. `name` is what people call it."""

    place: FloatVectorProperty(name="Place", description="Where it lies, in pixels of the upright photo", size=2)
    found: FloatVectorProperty(description="Where it was found", size=2)
    confidence: FloatProperty(description="How sure the finding was", min=0, max=1)


class SPEECHFACE_PhotoFace(bpy.types.PropertyGroup):
    """One face of a photo."""

    middle: FloatVectorProperty(description="Its middle, in pixels of the upright photo", size=2)
    side: FloatProperty(description="How large it is, in pixels")


def _take_image(photo: SPEECHFACE_ReferenceImage, _context: bpy.types.Context) -> None:
    """Forgets what was found in another image."""
    for rows in (photo.points, photo.faces):
        rows.clear()
    photo.width = photo.height = 0
    photo.taken, photo.has_chosen, photo.problem, photo.orientation = -1, False, "", photo_orientation.UPRIGHT
    if photo.image is not None:
        photo.image.preview_ensure()


class SPEECHFACE_ReferenceImage(bpy.types.PropertyGroup):
    """One photo of the face."""

    image: PointerProperty(
        name="Image",
        description="A photo of the face, looking at the camera",
        type=bpy.types.Image,
        update=_take_image,
    )
    width: IntProperty(description="Of the upright photo, in pixels; 0 before it was looked at")
    height: IntProperty(description="The same")
    orientation: IntProperty(description="How the camera held it, as in EXIF", default=photo_orientation.UPRIGHT)
    faces: CollectionProperty(type=SPEECHFACE_PhotoFace)
    taken: IntProperty(description="The face that the landmarks are of; -1: none", default=-1)
    has_chosen: BoolProperty(description="Whether a face was chosen; otherwise the largest is meant")
    chosen: FloatVectorProperty(description="A point on the face that was chosen, in pixels", size=2)
    points: CollectionProperty(type=SPEECHFACE_PhotoPoint)
    active_point: IntProperty(name="Active Landmark", min=0)
    problem: StringProperty(description="Why no landmarks were found")


CLASSES = (SPEECHFACE_PhotoPoint, SPEECHFACE_PhotoFace, SPEECHFACE_ReferenceImage)
