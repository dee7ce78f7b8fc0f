"""Finds a mesh's eyeballs, paints eyes on them, and finds where the lids end.

A mesh has no colours here, and a face without whites and irises looks as if it squinted: the detector sees its upper
lids too low. Where a lid ends its skin borders in the picture on what lies in the opening.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.rig.picture import PLAIN, Picture, View, draw
from backend_server.rig.surface import Points, Surface

_WHITE, _IRIS, _PUPIL = (0.95, 0.95, 0.95), (0.25, 0.35, 0.45), (0.02, 0.02, 0.02)
_IRIS_DEGREES, _PUPIL_DEGREES = 28.0, 11.0  # from the line of sight
_LEAST_VERTICES = 20
_ROUNDNESS = 0.12  # of the radius: how far, root mean square, vertices of an eyeball lie off a sphere
_LEAST_EXTENT = 1.3  # radii; less is a cap of a large sphere
_LIKE_RADII = 1.15  # the larger of two eyes over the smaller
_APART = (1.4, 12.0)  # radii between the middles of two eyes
_CROP_PIXELS = 512  # side of the picture of one eye
_CROP_SHARE = 0.6  # of its side that the eye's landmarks take
_DEEP = 0.5  # eye widths behind the lids: where a mesh without eyeballs has the inside of the head
_LEAST_WIDTH, _LEAST_HEIGHT = 0.4, 0.02  # of the distance between the corners: a smaller opening is none
_BORDER_PIXELS = 4
_INSIDE = 0.06  # of the opening's width: lids are looked for at least so far from its ends

_EYES = ((36, 39, (37, 38), (41, 40)), (42, 45, (43, 44), (47, 46)))  # corners, upper and lower lid, left to right


class Eyeball(NamedTuple):
    """A round part of a mesh: the number of its loose part, its middle (3,) and its radius."""

    part: int
    centre: Points
    radius: float


def find_eyeballs(surface: Surface) -> list[Eyeball]:
    """The loose parts that are round, each with another of the same size beside it; layers of an eye count each."""
    order = np.argsort(surface.parts, kind="stable")
    counts = np.bincount(surface.parts)
    ends = np.cumsum(counts)
    balls = []
    for part in np.flatnonzero(counts >= _LEAST_VERTICES):
        points = surface.vertices[order[ends[part] - counts[part] : ends[part]]]
        if (ball := _sphere(int(part), points)) is not None:
            balls.append(ball)
    return [ball for ball in balls if any(_are_pair(ball, other) for other in balls if other is not ball)]


def paint(picture: Picture, surface: Surface, triangles: NDArray[np.integer], view: View, balls: list[Eyeball]) -> None:
    """Gives eyeballs in a picture of `triangles` whites, and irises that look at the viewer."""
    parts = surface.parts[triangles[:, 0]]
    for ball in balls:
        row, column = np.nonzero(np.where(picture.triangle >= 0, parts[picture.triangle], -1) == ball.part)
        if not len(row):
            continue
        middle = view.project(ball.centre)[:2]
        angle = np.hypot(column - middle[0], row - middle[1]) / (ball.radius * view.pixels_per_unit)
        colours = np.where(
            angle[:, None] < np.sin(np.radians(_PUPIL_DEGREES)),
            _PUPIL,
            np.where(angle[:, None] < np.sin(np.radians(_IRIS_DEGREES)), _IRIS, _WHITE),
        )
        shade = picture.colours[row, column].max(1, keepdims=True) / max(PLAIN)
        picture.colours[row, column] = (shade * colours).clip(0, 255).astype(np.uint8)


def lid_margins(
    surface: Surface,
    is_skin: NDArray[np.bool_],
    balls: list[Eyeball],
    view: View,
    landmarks: NDArray[np.floating],
) -> dict[int, tuple[int, Points]]:
    """For landmarks of the lids, by number: the vertex where the lid ends, and its place in the view's picture.

    Args:
        surface: the mesh.
        is_skin: (V,), which vertices are the face's skin.
        balls: its eyeballs.
        view: of the face.
        landmarks: (68, 2), pixels of the view.

    Landmarks of an eye in which no opening is seen are left out.
    """
    of_ball = np.isin(surface.parts, [ball.part for ball in balls])
    found: dict[int, tuple[int, Points]] = {}
    for first, last, upper, lower in _EYES:
        eye = landmarks[first : first + 6].astype(np.float64)
        width = float(np.linalg.norm(eye[last - first] - eye[0]))
        zoom = _CROP_SHARE * _CROP_PIXELS / max(width, 1e-6)
        middle = (eye.min(0) + eye.max(0)) / 2
        close = view.moved(middle, zoom, _CROP_PIXELS)
        placed = close.project(surface.vertices)
        near = (np.abs(placed[:, :2] - _CROP_PIXELS / 2) < _CROP_PIXELS).all(1) & (is_skin | of_ball)
        triangles = surface.triangles[near[surface.triangles].all(1)]
        if not len(triangles):
            continue
        picture = draw(surface.vertices, triangles, close)
        to_crop = (eye - middle) * zoom + (_CROP_PIXELS - 1) / 2
        opening = _opening(picture, of_ball[triangles[:, 0]], to_crop[[0, last - first]])
        if opening is None:
            continue
        border = cv2.dilate(opening, np.ones((2 * _BORDER_PIXELS + 1,) * 2, np.uint8)).astype(bool) & (opening == 0)
        seen = np.unique(picture.triangle[border])
        seen = np.unique(triangles[seen[seen >= 0]])
        seen = seen[is_skin[seen]]
        for numbers, side in ((upper, -1), (lower, 1)):
            for number, (vertex, point) in _on_border(
                opening, placed[:, :2], seen, to_crop, [n - first for n in numbers], side
            ).items():
                back = (point - (_CROP_PIXELS - 1) / 2) / zoom + middle
                found[first + number] = vertex, back
    return found


def _on_border(
    opening: NDArray[np.uint8],
    placed: Points,
    candidates: NDArray[np.int64],
    eye: Points,
    numbers: list[int],
    side: int,
) -> dict[int, tuple[int, Points]]:
    """The vertices nearest to the upper (side -1) or lower (1) border of an opening, where landmarks stand along it."""
    along, down = _frame(eye[[0, 3]])
    row, column = np.nonzero(opening)
    pixels = np.stack([column, row], axis=1).astype(np.float64)
    u, v = (pixels - eye[0]) @ along, (pixels - eye[0]) @ down
    low, high = u.min(), u.max()
    bins = np.round(u - low).astype(int)
    edge = np.full(bins.max() + 1, np.nan)
    order = np.argsort(side * v)
    edge[bins[order]] = v[order]  # the outermost of each column is written last
    known = np.flatnonzero(np.isfinite(edge))
    other = np.full_like(edge, np.nan)
    other[bins[order[::-1]]] = v[order[::-1]]
    middle = (edge + other) / 2
    own = (placed[candidates] - eye[0]) @ np.stack([along, down], axis=1)
    at = (own[:, 0] - low).clip(known[0], known[-1])
    is_own = side * (own[:, 1] - np.interp(at, known, middle[known])) > 0
    if not is_own.any():
        return {}
    candidates, own = candidates[is_own], own[is_own]
    found = {}
    for number in numbers:
        place = (eye[number] - eye[0]) @ along
        inset = _INSIDE * (high - low)
        place = float(np.clip(place, low + inset, high - inset))
        target = np.array([place, np.interp(place - low, known, edge[known])])
        nearest = candidates[np.linalg.norm(own - target, axis=1).argmin()]
        found[number] = int(nearest), eye[0] + target @ np.stack([along, down])
    return found


def _opening(picture: Picture, is_ball: NDArray[np.bool_], corners: Points) -> NDArray[np.uint8] | None:
    """The pixels (H, W) between the lids as 1, by what is seen there; None where there is no opening."""
    along, down = _frame(corners)
    width = float(np.linalg.norm(corners[1] - corners[0]))
    row, column = np.mgrid[: len(picture.depth), : len(picture.depth)].astype(np.float64)
    u = (column - corners[0, 0]) * along[0] + (row - corners[0, 1]) * along[1]
    v = (column - corners[0, 0]) * down[0] + (row - corners[0, 1]) * down[1]
    near = (u > -0.2 * width) & (u < 1.2 * width) & (np.abs(v) < 0.7 * width)
    shown = picture.triangle >= 0
    inside = shown & is_ball[picture.triangle]
    if not (inside & near).any():  # no eyeballs: into the head, or through it
        lids = picture.depth[near & shown & ~inside]
        if not len(lids):
            return None
        inside = ~shown | (picture.depth > np.median(lids) + _DEEP * width)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((inside & near).astype(np.uint8))
    if count < 2:
        return None
    largest = 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())
    mask = labels == largest
    if np.ptp(u[mask]) < _LEAST_WIDTH * width or mask.sum() < _LEAST_HEIGHT * width * np.ptp(u[mask]):
        return None
    return mask.astype(np.uint8)


def _frame(corners: Points) -> tuple[Points, Points]:
    along = corners[1] - corners[0]
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    return along, np.array([-along[1], along[0]])


def _sphere(part: int, points: Points) -> Eyeball | None:
    """The sphere through points, if they lie on one."""
    origin = points.mean(0)
    local = points - origin
    size = float(np.ptp(local, axis=0).max())
    if size <= 0:
        return None
    local = local / size
    solution = np.linalg.lstsq(np.column_stack([2 * local, np.ones(len(local))]), (local**2).sum(1), rcond=None)[0]
    centre, squared = solution[:3], solution[3] + solution[:3] @ solution[:3]
    if squared <= 0:
        return None
    radius = float(np.sqrt(squared))
    off = np.linalg.norm(local - centre, axis=1) / radius - 1
    if np.sqrt(np.square(off).mean()) > _ROUNDNESS or radius * _LEAST_EXTENT > 1:
        return None
    return Eyeball(part, origin + size * centre, size * radius)


def _are_pair(one: Eyeball, other: Eyeball) -> bool:
    ratio = max(one.radius, other.radius) / min(one.radius, other.radius)
    apart = float(np.linalg.norm(one.centre - other.centre)) / max(one.radius, other.radius)
    return ratio < _LIKE_RADII and _APART[0] < apart < _APART[1]
