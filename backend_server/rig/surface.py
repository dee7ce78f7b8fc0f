"""Joins what exporters split, and tells the loose parts of a mesh apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from shared.errors import ShapeError

Points = NDArray[np.float64]
Triangles = NDArray[np.int64]


@dataclass(frozen=True)
class Surface:
    """A mesh of V vertices whose split vertices were joined.

    Attributes:
        vertices: f64 (V, 3).
        triangles: i64 (F, 3).
        kept: i64 (V,), the vertices' indices in the mesh as it was given.
        parts: i32 (V,), the number of each vertex's loose part.
    """

    vertices: Points
    triangles: Triangles
    kept: NDArray[np.int64]
    parts: NDArray[np.int32]

    @property
    def triangle_parts(self) -> NDArray[np.int32]:
        """The number (F,) of each triangle's loose part."""
        return self.parts[self.triangles[:, 0]]


def surface_of(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> Surface:
    """The surface of a mesh.

    Raises:
        ShapeError: the arrays are no mesh.
    """
    kept, vertices, triangles = _joined(*_checked(vertices, triangles))
    return Surface(vertices, triangles, kept, connected_components(edge_graph(vertices, triangles), directed=False)[1])


def edge_graph(vertices: Points, triangles: Triangles) -> csr_matrix:
    """The edges of a mesh with their lengths."""
    edges = np.unique(_edges(triangles), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    return csr_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices)))


def _checked(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> tuple[Points, Triangles]:
    vertices, triangles = np.asarray(vertices, np.float64), np.asarray(triangles, np.int64)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ShapeError(f"expected vertices (V, 3) and triangles (F, 3), got {vertices.shape} and {triangles.shape}")
    if not len(triangles):
        raise ShapeError("the mesh has no faces; choose the object that holds the character's head")
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise ShapeError(f"a triangle names vertex {triangles.max()}, and the mesh has {len(vertices)} vertices")
    if not np.isfinite(vertices[triangles]).all():
        raise ShapeError("the mesh has vertices whose places are not finite numbers; give them places")
    return vertices, triangles


def _joined(vertices: Points, triangles: Triangles) -> tuple[NDArray[np.int64], Points, Triangles]:
    """One vertex for all that triangles name at the same place: (J,) indices, places (J, 3), and triangles of these.

    Exporters split vertices at seams and hard edges; the skin shall be one all the same, and shaded smoothly. Only
    vertices at open borders are joined, so that lips which touch stay two.
    """
    used, corners = np.unique(triangles, return_inverse=True)
    corners, places = corners.reshape(-1, 3), vertices[used]
    edges, counts = np.unique(_edges(corners), axis=0, return_counts=True)
    alone = np.arange(len(used), dtype=np.float64)
    alone[edges[counts == 1]] = -1
    grid = np.round(places / (1e-6 * max(float(np.ptp(places, axis=0).max()), 1e-12)))
    keys = np.column_stack([grid, alone])
    _, first, joined = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    kept = used[first]
    return kept, vertices[kept], joined.reshape(-1)[corners]


def _edges(triangles: Triangles) -> Triangles:
    """The edges (3 F, 2) of triangles, each with its lower vertex first."""
    return np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
