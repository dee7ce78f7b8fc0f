# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws over a photo in the Image Editor the faces that were seen, and the landmarks of the one that is meant.

Without a window nothing is drawn.
"""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from .. import compat
from ..properties import active_character
from ..rigs.landmark_overlay import LINE, draw_landmarks
from . import photo_landmarks
from .photo_properties import SPEECHFACE_ReferenceImage
from .photo_view import PhotoView, view_of

OTHER = (0.75, 0.75, 0.75)
_LINE_PIXELS = 1.5
_CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2

_handler: object | None = None


def draw_photo(photo: SPEECHFACE_ReferenceImage, view: PhotoView) -> None:
    """Draws the faces and landmarks of a photo where a view shows them; one face alone gets no box."""
    if not photo.width or not photo.height:
        return
    gpu.state.blend_set("ALPHA")
    try:
        for number, face in enumerate(photo.faces if len(photo.faces) > 1 else ()):
            corners = np.array(face.middle) + _CORNERS * face.side
            _draw_outline(view.seen(photo, corners), LINE if number == photo.taken else OTHER)
        if photo.points:
            seen = view.seen(photo, photo_landmarks.places(photo))
            corrected = np.array([photo_landmarks.is_corrected(point) for point in photo.points])
            draw_landmarks(_flat(seen), corrected, photo.active_point)
    finally:
        gpu.state.blend_set("NONE")
        gpu.state.point_size_set(1.0)


def draw(context: bpy.types.Context) -> None:
    """Draws over the photo of the active character that the editor shows."""
    space = context.space_data
    photo = photo_landmarks.shown_photo(active_character(context.scene), space.image)
    if photo is not None and space.overlay.show_overlays:
        draw_photo(photo, view_of(context.region))


def _flat(places: np.ndarray) -> np.ndarray:
    """Places (N, 2) of the region as points (N, 3) with z = 0, as shaders take them."""
    return np.column_stack([places, np.zeros(len(places))])


def _draw_outline(corners: np.ndarray, colour: tuple[float, float, float]) -> None:
    places = _flat(np.stack([corners, np.roll(corners, -1, axis=0)], axis=1).reshape(-1, 2))
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", _LINE_PIXELS * bpy.context.preferences.system.pixel_size)
    shader.uniform_float("color", (*colour, 0.8))
    batch_for_shader(shader, "LINES", {"pos": places.tolist()}).draw(shader)


def _draw() -> None:
    draw(bpy.context)


def register() -> None:
    """Begins to draw, where there is a window."""
    global _handler  # noqa: PLW0603 (Blender gives one handle for the whole program)
    if compat.has_event_loop():
        _handler = bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Stops drawing."""
    global _handler  # noqa: PLW0603
    if _handler is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handler, "WINDOW")
        _handler = None
