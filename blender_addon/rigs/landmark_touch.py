# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Tells which landmark or vertex of a character lies under the mouse in a 3D viewport."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy_extras import view3d_utils
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from .face_surface import Surface

_REACH_PIXELS = 24  # how far from a landmark a click still takes it
_BEHIND = 0.02  # of the character's size: how far a landmark may lie behind what is seen at its place


class View:
    """One 3D view of a window.

    Args:
        region: of the view.
        view: how it looks at the scene.
    """

    def __init__(self, region: bpy.types.Region, view: bpy.types.RegionView3D) -> None:
        self._region = region
        self._view = view

    def ray(self, pixel: Sequence[float]) -> tuple[Vector, Vector]:
        """Where a pixel (x, y) of the region looks from, and in which direction."""
        return (
            view3d_utils.region_2d_to_origin_3d(self._region, self._view, pixel),
            view3d_utils.region_2d_to_vector_3d(self._region, self._view, pixel),
        )

    def pixel(self, place: Sequence[float]) -> Vector | None:
        """The pixel at which a place in the world is seen; None behind the viewer."""
        return view3d_utils.location_3d_to_region_2d(self._region, self._view, place)


def view_under(window: bpy.types.Window, x: int, y: int) -> tuple[View, tuple[int, int]] | None:
    """The 3D view under a place of a window, and the pixel in it; None over anything else, such as a sidebar."""
    for area in window.screen.areas:
        if area.type != "VIEW_3D":
            continue
        under = [
            region
            for region in area.regions
            if min(region.width, region.height) > 1
            and 0 <= x - region.x < region.width
            and 0 <= y - region.y < region.height
        ]
        if under and all(region.type == "WINDOW" for region in under):
            region = under[0]
            return View(region, region.data or area.spaces.active.region_3d), (x - region.x, y - region.y)
    return None


class TouchedSurface:
    """The surface of a character, as it is shown, for finding what is under the mouse.

    Args:
        shown: its vertices where the scene shows them.
    """

    def __init__(self, shown: Surface) -> None:
        self._shown = shown
        self._tree = BVHTree.FromPolygons(shown.vertices.tolist(), shown.triangles.tolist(), all_triangles=True)
        self._size = float(np.ptp(shown.vertices, axis=0).max())

    def vertex(self, origin: Vector, direction: Vector) -> tuple[str, int, int] | None:
        """The first mesh that a ray meets, its vertex nearest to there, and how many it has; None beside them all."""
        place, _, triangle, _ = self._tree.ray_cast(origin, direction)
        if triangle is None:
            return None
        corners = self._shown.triangles[triangle]
        distances = np.linalg.norm(self._shown.vertices[corners] - np.array(place), axis=1)
        index = int(corners[distances.argmin()])
        number = int(np.searchsorted(self._shown.firsts, index, side="right")) - 1
        first, end = self._shown.firsts[number : number + 2]
        return self._shown.meshes[number], index - first, end - first

    def landmark(self, view: View, pixel: Sequence[float], places: NDArray) -> int | None:
        """The landmark, of those at places (68, 3), that is seen nearest to a pixel; None if none is near."""
        found = []
        for number, place in enumerate(places):
            seen = view.pixel(place) if np.isfinite(place).all() else None
            if seen is not None and (distance := (seen - Vector(pixel)).length) <= _REACH_PIXELS:
                found.append((distance, number))
        return next((number for _, number in sorted(found) if self._is_seen(view, places[number])), None)

    def _is_seen(self, view: View, place: NDArray) -> bool:
        origin, direction = view.ray(view.pixel(place))
        _, _, _, distance = self._tree.ray_cast(origin, direction)
        return distance is None or (Vector(place) - origin).length <= distance + _BEHIND * self._size
