# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the landmarks of the chosen character over the 3D viewport: points, and the outline of the face.

What lies behind the surface is drawn faintly. Without a window nothing is drawn.
"""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from .. import compat
from .._shared import landmarks
from . import face_landmarks, rigging
from .rig_operators import rigging_of

FOUND, CORRECTED, ACTIVE, LINE = (0.3, 0.8, 1.0), (1.0, 0.5, 0.1), (1.0, 1.0, 1.0), (0.3, 0.8, 1.0)
_PIXELS, _ACTIVE_PIXELS, _LINE_PIXELS = 7.0, 12.0, 1.5
_FAINT = 0.25  # of what is hidden
_NEARER = 0.02  # of the face's size: how far it is drawn before the surface, which else would cover half of each point

_handler: object | None = None


def segments(points: NDArray) -> NDArray[np.float64]:
    """The ends (L, 2, 3) of the lines that connect landmarks (68, 3); without those of which one end is NaN."""
    pairs = []
    for segment in landmarks.SEGMENTS:
        following = segment.points[1:] + (segment.points[:1] if segment.is_closed else ())
        pairs += zip(segment.points, following, strict=False)
    lines = np.asarray(points)[np.array(pairs)]
    return lines[np.isfinite(lines).all(axis=(1, 2))]


def draw_landmarks(points: NDArray, is_corrected: NDArray[np.bool_], active: int, alpha: float = 1.0) -> None:
    """Draws landmarks (68, 3), those that were corrected (68,) in their own colour, the active one larger."""
    lines = segments(points)
    ratio = bpy.context.preferences.system.pixel_size
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", _LINE_PIXELS * ratio)
    shader.uniform_float("color", (*LINE, 0.7 * alpha))
    batch_for_shader(shader, "LINES", {"pos": lines.reshape(-1, 3).tolist()}).draw(shader)
    is_there = np.isfinite(points).all(axis=1)
    is_active = np.arange(len(points)) == active
    shader = gpu.shader.from_builtin("POINT_UNIFORM_COLOR")
    for wanted, colour, size in (
        (is_active, ACTIVE, _ACTIVE_PIXELS),
        (~is_corrected, FOUND, _PIXELS),
        (is_corrected, CORRECTED, _PIXELS),
    ):
        if (drawn := points[wanted & is_there]).size:
            gpu.state.point_size_set(size * ratio)
            shader.uniform_float("color", (*colour, alpha))
            batch_for_shader(shader, "POINTS", {"pos": drawn.tolist()}).draw(shader)


def draw(context: bpy.types.Context) -> None:
    """Draws the landmarks of the chosen character, if they are to be shown."""
    rig = rigging_of(context)
    is_shown = rig is not None and rig.show_landmarks and rigging.is_solved(rig)
    face = face_landmarks.face_of(rig) if is_shown else None
    space = context.space_data
    if face is None or not face.landmarks or (space is not None and not space.overlay.show_overlays):
        return
    points = face_landmarks.places(context, face)
    corrected = np.array([face_landmarks.is_corrected(row) for row in face.landmarks])
    gpu.state.blend_set("ALPHA")
    try:
        gpu.state.depth_test_set("NONE")
        draw_landmarks(points, corrected, face.active_landmark, _FAINT)
        gpu.state.depth_test_set("LESS_EQUAL")
        draw_landmarks(_towards_viewer(context, points), corrected, face.active_landmark)
    finally:
        gpu.state.depth_test_set("NONE")
        gpu.state.blend_set("NONE")
        gpu.state.point_size_set(1.0)


def _towards_viewer(context: bpy.types.Context, points: NDArray) -> NDArray:
    """The points moved a little to the viewer."""
    view = context.region_data
    if view is None:
        return points
    inverse = np.array(view.view_matrix.inverted())
    size = float(np.ptp(points[np.isfinite(points).all(axis=1)], axis=0).max(initial=0.0))
    if not view.is_perspective:
        return points + inverse[:3, 2] * _NEARER * size
    ways = inverse[:3, 3] - points
    return points + ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9) * _NEARER * size


def _draw() -> None:
    draw(bpy.context)


def register() -> None:
    """Begins to draw, where there is a window."""
    global _handler  # noqa: PLW0603 (Blender gives one handle for the whole program)
    if compat.has_event_loop():
        _handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    """Stops drawing."""
    global _handler  # noqa: PLW0603
    if _handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handler, "WINDOW")
        _handler = None
