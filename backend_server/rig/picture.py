"""Draws a mesh from the front as a shaded picture, and says which triangle each pixel shows.

A small rasteriser in numpy: parallel projection, depth buffer, no textures. It draws what the face detector reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PLAIN = (0.80, 0.62, 0.52)  # a skin that is lit from the front; red, green, blue from 0 to 1
BACKGROUND = 0.35
BLENDERS_FRONT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # axes of a view: Z up, facing -Y
_PAIRS_AT_ONCE = 2_000_000  # of a pixel and a triangle whose box holds it: about 200 MB
_HOLLOW_SHARES = (0.012, 0.04)  # of the picture's side: sizes of the hollows that are drawn darker
_DARKEST_HOLLOW = 0.75
_HOLLOW_PIXELS = 256  # side of the reduced picture in which hollows are looked for


@dataclass(frozen=True)
class View:
    """A parallel projection.

    Attributes:
        axes: f64 (3, 3), rows: the picture's right, its down, and away from the viewer, each of length 1.
        centre: f64 (3,), the point in the middle of the picture.
        pixels_per_unit: of the mesh.
        size: side of the picture in pixels.
    """

    axes: NDArray[np.float64]
    centre: NDArray[np.float64]
    pixels_per_unit: float
    size: int

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels and depth (..., 3) of points (..., 3); (0, 0) is the centre of the top-left pixel."""
        placed = (np.asarray(points, np.float64) - self.centre) @ self.axes.T * self.pixels_per_unit
        return placed + np.array([(self.size - 1) / 2, (self.size - 1) / 2, 0.0])

    def turn(self, displacements: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels and depth (..., 3) by which points move that move by `displacements` (..., 3)."""
        return np.asarray(displacements, np.float64) @ self.axes.T * self.pixels_per_unit

    def turned_back(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where from the centre the points (..., 3) of pixels (..., 2) lie, at the centre's depth."""
        offsets = (np.asarray(pixels, np.float64) - (self.size - 1) / 2) / self.pixels_per_unit
        return offsets @ self.axes[:2]

    def moved(self, pixel: NDArray[np.floating] | tuple[float, float], zoom: float, size: int) -> View:
        """The view of another size in whose middle `pixel` is, `zoom` times as large."""
        return View(self.axes, self.centre + self.turned_back(np.asarray(pixel)), self.pixels_per_unit * zoom, size)


@dataclass(frozen=True)
class Picture:
    """What a view shows.

    Attributes:
        colours: u8 (H, W, 3), sRGB.
        triangle: i32 (H, W), index of the triangle at the centre of each pixel, -1 where there is none.
        barycentric: f32 (H, W, 3), the place in that triangle.
        depth: f32 (H, W) pixels away from the viewer, infinite where there is nothing.
    """

    colours: NDArray[np.uint8]
    triangle: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    depth: NDArray[np.float32]


def view_around(
    points: NDArray[np.floating], size: int, *, axes: NDArray[np.float64] = BLENDERS_FRONT, share: float = 0.9
) -> View:
    """The view in whose middle points (N, 3) take `share` of the picture's side."""
    placed = np.asarray(points, np.float64) @ axes.T
    low, high = placed.min(0), placed.max(0)
    extent = max(float((high - low)[:2].max()), 1e-12)
    return View(axes, (low + high) / 2 @ axes, share * size / extent, size)


def draw(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    view: View,
    colours: NDArray[np.floating] | None = None,
) -> Picture:
    """Draws both sides of all triangles, lit from the viewer, hollows darker.

    Args:
        vertices: (V, 3).
        triangles: (F, 3), indices of vertices.
        view: from where.
        colours: (F, 3) red, green, blue of the triangles, 0 to 1; the same skin for all if left out.
    """
    placed = view.project(vertices)
    triangle, barycentric, depth = _rasterise(placed, triangles, view.size)
    is_covered = triangle >= 0
    corners = triangles[triangle[is_covered]]
    normals = _vertex_normals(placed, triangles)
    normal = np.einsum("pc,pcx->px", barycentric[is_covered], normals[corners])
    facing = np.abs(normal[:, 2]) / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    lit = np.full((view.size, view.size, 3), BACKGROUND, np.float32)
    base = np.asarray(PLAIN, np.float32) if colours is None else np.asarray(colours, np.float32)[triangle[is_covered]]
    hollow = _hollows(depth, is_covered)[is_covered]
    lit[is_covered] = base * ((0.25 + 0.75 * facing) * hollow)[:, None]
    return Picture((lit.clip(0, 1) * 255 + 0.5).astype(np.uint8), triangle, barycentric, depth)


def _rasterise(
    placed: NDArray[np.float64], triangles: NDArray[np.integer], size: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """The nearest triangle at each pixel, the place in it and its depth."""
    index = np.full(size * size, -1, np.int32)
    depth = np.full(size * size, np.inf, np.float32)
    barycentric = np.zeros((size * size, 3), np.float32)
    for tried, x, y in _candidates(placed, triangles, size):
        a, b, c = (placed[triangles[tried, k]].astype(np.float32) for k in range(3))
        weights = np.stack([_area(b, c, x, y), _area(c, a, x, y), _area(a, b, x, y)], axis=1)
        total = weights.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            weights /= total[:, None]
        inside = (weights >= -1e-6).all(1) & (total != 0)
        which, weights = tried[inside], weights[inside]
        pixel = y[inside].astype(np.int64) * size + x[inside].astype(np.int64)
        z = (weights * np.stack([a[inside, 2], b[inside, 2], c[inside, 2]], axis=1)).sum(1)
        nearer = np.flatnonzero(z < depth[pixel])
        nearer = nearer[np.argsort(-z[nearer], kind="stable")]  # the nearest is written last, and stays
        index[pixel[nearer]], depth[pixel[nearer]], barycentric[pixel[nearer]] = (
            which[nearer],
            z[nearer],
            weights[nearer],
        )
    return index.reshape(size, size), barycentric.reshape(size, size, 3), depth.reshape(size, size)


def _candidates(
    placed: NDArray[np.float64], triangles: NDArray[np.integer], size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]]:
    """Pairs of a triangle and a pixel in the box around it, many at a time."""
    corners = placed[triangles, :2]
    low = np.ceil(corners.min(1)).clip(0, size).astype(np.int64)
    high = np.floor(corners.max(1)).clip(-1, size - 1).astype(np.int64)
    extent = (high - low + 1).clip(0)
    counts = extent[:, 0] * extent[:, 1]
    seen = np.flatnonzero(counts)
    ends = np.cumsum(counts[seen])
    start = 0
    while start < len(seen):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, "right")))
        part = seen[start:stop]
        which = np.repeat(part, counts[part])
        place = np.arange(len(which)) - np.repeat(ends[start:stop] - counts[part] - before, counts[part])
        rows, columns = np.divmod(place, extent[which, 0])
        yield which, (low[which, 0] + columns).astype(np.float32), (low[which, 1] + rows).astype(np.float32)
        start = stop


def _area(
    a: NDArray[np.float32], b: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Twice the signed area of the triangles (a, b, (x, y))."""
    return np.asarray((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0]), np.float32)


def _vertex_normals(placed: NDArray[np.float64], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    a, b, c = (placed[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    corners = triangles.T.reshape(-1)
    sums = [np.bincount(corners, np.tile(face[:, axis], 3), len(placed)) for axis in range(3)]
    return np.stack(sums, axis=1).astype(np.float64)


def _hollows(depth: NDArray[np.float32], is_covered: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How light each pixel (H, W) is for what stands out around it: 1 on ridges, less between the lips."""
    size = len(depth)
    small = (min(size, _HOLLOW_PIXELS),) * 2
    covered = cv2.resize(is_covered.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    filled = np.where(is_covered, depth, 0).astype(np.float32)
    reduced = cv2.resize(filled, small, interpolation=cv2.INTER_AREA)
    light = np.ones_like(depth)
    for share in _HOLLOW_SHARES:
        sigma = share * small[0]
        around = cv2.GaussianBlur(reduced, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(covered, (0, 0), sigma), 1e-3)
        deeper = (filled - cv2.resize(around, (size, size))) / (share * size)
        light *= 1 - _DARKEST_HOLLOW * np.clip(deeper, 0, 1)
    return light
