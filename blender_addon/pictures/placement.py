# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Finds a free place for a new face, and brings a finished one into view."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from numpy.typing import NDArray

from .. import compat
from ..coordinates import CropPlane

_SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME"}
_FRONT = Quaternion((1.0, 0.0, 0.0), np.pi / 2)
_AROUND = 1.6  # of the width, seen in a viewport from its upper to its lower edge
_SENSOR = 72.0  # millimetres of the longer side of a viewport
_GAP = 0.1  # of the width, kept free to the right of what is in the way


def free_place(context: bpy.types.Context, scene: bpy.types.Scene, square: CropPlane) -> tuple[float, float, float]:
    """Where the middle of a new picture hides in nothing: at the 3D cursor, or to the right of what is there.

    Args:
        context: whose view layer is looked at, if it is of this scene.
        scene: gets the picture.
        square: its size.
    """
    place = np.array(scene.cursor.location[:], np.float64)
    half = np.full(3, square.width / 2)
    boxes = _boxes(context, scene)
    while True:
        hit = [box for box in boxes if np.all(box[0] < place + half) and np.all(box[1] > place - half)]
        if not hit:
            return (float(place[0]), float(place[1]), float(place[2]))
        place[0] = max(box[1][0] for box in hit) + half[0] + _GAP * square.width


def _boxes(context: bpy.types.Context, scene: bpy.types.Scene) -> list[NDArray[np.float64]]:
    """The bounds (2, 3) of everything that is seen, in the world."""
    found = []
    for candidate in scene.objects:
        if candidate.type not in _SOLID or candidate.hide_viewport:
            continue
        if scene == context.scene and not candidate.visible_get(view_layer=context.view_layer):
            continue
        corners = np.array([candidate.matrix_world @ Vector(corner) for corner in candidate.bound_box])
        found.append(np.stack([corners.min(axis=0), corners.max(axis=0)]))
    return found


def present(context: bpy.types.Context, made: list[bpy.types.Object]) -> None:
    """Selects what was made, and shows it in every 3D viewport: framed from the front, in its colours.

    A viewport that a camera looks through, or that draws in another way than *Solid*, is left as it is.
    """
    shown = [item for item in made if item.visible_get(view_layer=context.view_layer)]
    if not shown:
        return
    if context.object is not None and context.object.mode != "OBJECT":
        return  # the artist works on something
    for item in context.selected_objects:
        item.select_set(False)
    for item in shown:
        item.select_set(True)
    context.view_layer.objects.active = shown[-1]
    if not compat.has_event_loop():
        return
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                _frame(context, window, area)


def _frame(context: bpy.types.Context, window: bpy.types.Window, area: bpy.types.Area) -> None:
    space = area.spaces.active
    region = next((region for region in area.regions if region.type == "WINDOW"), None)
    if region is None or space.region_3d.view_perspective == "CAMERA":
        return
    if space.shading.type == "SOLID":
        space.shading.type = "MATERIAL"  # the picture is a material
    with context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()


def look_at(
    context: bpy.types.Context, scene: bpy.types.Scene, place: tuple[float, float, float], width: float
) -> None:
    """Turns every 3D viewport of a scene to the front of a picture that is not in the scene yet.

    A viewport that a camera looks through is left as it is, and all while the artist works on something.

    Args:
        context: Blender's context.
        scene: has the picture.
        place: of its middle.
        width: in metres.
    """
    if not compat.has_event_loop() or (context.object is not None and context.object.mode != "OBJECT"):
        return
    for window in context.window_manager.windows:
        if window.scene != scene:
            continue
        for area in window.screen.areas:
            view = area.spaces.active.region_3d if area.type == "VIEW_3D" else None
            if view is None or view.view_perspective == "CAMERA":
                continue
            view.view_perspective, view.view_rotation = "ORTHO", _FRONT
            view.view_location = place
            seen = min(area.width, area.height) / max(area.width, area.height)  # of the longer side, which lens counts
            view.view_distance = _AROUND * width / seen * area.spaces.active.lens / _SENSOR
