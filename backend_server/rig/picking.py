"""Picks a vertex of a mesh for each landmark that was read from a picture of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from backend_server.rig.picture import Picture
from backend_server.rig.surface import Points, Surface, edge_graph
from shared.landmarks import LIPS

_SKIN_HITS = 7  # landmarks, of the 48 that are neither lids nor inner lips, that make a loose part of the mesh skin
_SEEN_PIXELS = 3.0  # how far a vertex that counts as seen may lie behind what is drawn at its pixel
_UPPER, _LOWER = range(49, 54), range(55, 60)  # outer lips without the corners
_EYES = ((36, 39, (37, 38), (40, 41)), (42, 45, (43, 44), (46, 47)))  # corners, left first in the picture; lids
_INNER_UPPER, _INNER_LOWER = (61, 62, 63), (65, 66, 67)

Landmarks = NDArray[np.floating]


def nearest_pixels(points: Landmarks, picture: Picture) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the covered pixels that are nearest to points (N, 2)."""
    rows, columns = np.nonzero(picture.triangle >= 0)
    nearest = KDTree(np.stack([columns, rows], axis=1)).query(points)[1]
    return rows[nearest], columns[nearest]


def skin_of(surface: Surface, triangles: NDArray[np.integer], picture: Picture, landmarks: Landmarks) -> NDArray:
    """Which vertices (V,) are of the parts that most landmarks lie on; the picture shows `triangles`."""
    others = np.r_[0:36, 48:60]
    hit = picture.triangle[*nearest_pixels(landmarks[others], picture)]
    hits = np.bincount(surface.parts[triangles[hit, 0]])
    return np.isin(surface.parts, np.flatnonzero(hits >= min(_SKIN_HITS, hits.max())))


def pick_vertices(
    surface: Surface, is_skin: NDArray[np.bool_], placed: Points, picture: Picture, landmarks: Landmarks
) -> NDArray[np.int64]:
    """The vertex (68,) for each landmark of the face, of the skin that is seen.

    Args:
        surface: the mesh.
        is_skin: (V,), which vertices are skin.
        placed: its vertices (V, 3) as the picture's view projects them.
        picture: of the face.
        landmarks: (68, 2), its pixels.
    """
    seen = np.flatnonzero(is_skin & _are_seen(placed, picture))
    found = _nearest(seen, placed, landmarks)
    is_upper = _upper_side(surface, placed, found, landmarks)
    for points, side in ((_INNER_UPPER, is_upper[seen]), (_INNER_LOWER, ~is_upper[seen])):
        found[list(points)] = _nearest(seen[side] if side.any() else seen, placed, landmarks[list(points)])
    for left, right, upper, lower in _EYES:
        across, offset = landmarks[right] - landmarks[left], placed[seen, :2] - landmarks[left]
        is_above = across[0] * offset[:, 1] < across[1] * offset[:, 0]  # of the line between the corners
        for points, side in ((upper, is_above), (lower, ~is_above)):
            found[list(points)] = _nearest(seen[side] if side.any() else seen, placed, landmarks[list(points)])
    return found


def _nearest(candidates: NDArray[np.int64], placed: Points, points: Landmarks) -> NDArray[np.int64]:
    return candidates[KDTree(placed[candidates, :2]).query(points)[1]]


def _are_seen(placed: Points, picture: Picture) -> NDArray[np.bool_]:
    """Which of the projected vertices (V, 3) nothing covers."""
    around = cv2.dilate(picture.depth, np.ones((3, 3), np.uint8))
    pixel = np.round(placed[:, :2]).astype(np.int64)
    is_inside = ((pixel >= 0) & (pixel < len(around))).all(1)
    column, row = pixel.clip(0, len(around) - 1).T
    return is_inside & (placed[:, 2] <= around[row, column] + _SEEN_PIXELS)


def _upper_side(surface: Surface, placed: Points, found: NDArray[np.int64], landmarks: Landmarks) -> NDArray[np.bool_]:
    """Which vertices near the mouth are nearer to the upper lip than to the lower one, along the surface.

    Lips that touch lie side by side in the picture, but far apart along the skin: around a corner of the mouth.
    """
    lips = landmarks[LIPS]
    low, high = lips.min(0), lips.max(0)
    near = ((placed[:, :2] > low - (high - low) / 2) & (placed[:, :2] < high + (high - low) / 2)).all(1)
    graph = edge_graph(surface.vertices, surface.triangles[near[surface.triangles].all(1)])
    upper, lower = (
        dijkstra(graph, directed=False, indices=np.unique(found[list(points)]), min_only=True)
        for points in (_UPPER, _LOWER)
    )
    return np.where(np.isfinite(upper) | np.isfinite(lower), upper < lower, placed[:, 1] < lips[:, 1].mean())
