"""Finds the 68 landmarks on any mesh with a face, by looking at pictures of it.

The mesh is drawn from the front, the face detector reads the picture, and each landmark becomes the nearest vertex that
is seen. How the mesh lies, how large it is and whether it is mirrored does not matter.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from backend_server.face.detector import Face, FaceDetector
from backend_server.progress import Progress, silent
from backend_server.rig.picture import Picture, View, draw, view_around
from shared.errors import FaceError, NoFaceError, ShapeError
from shared.landmarks import LEFT_EYE, LIPS, RIGHT_EYE

_WHOLE_PIXELS = (768, 1536)  # sides of the pictures of the whole mesh; the larger one if the face is too small
_FACE_PIXELS = 768  # side of the picture of the face
_FACE_SHARE = 0.55  # of that picture's side that the landmarks take
_STEADY = 0.012  # of the face's side: how far landmarks may move, on average, with how the face is cut out
_SNAP_DEGREES = 20.0  # a head that is nearly straight in the mesh's own axes is looked at along them
_FACE_TILT_DEGREES = 13.0  # how far the line from mouth to eyes leans back in a head that looks straight ahead
_SKIN_HITS = 7  # landmarks, of the 48 that are neither lids nor inner lips, that make a loose part of the mesh skin
_SEEN_PIXELS = 3.0  # how far a vertex that counts as seen may lie behind what is drawn at its pixel
_UNSURE_MOVEMENT, _UNSURE_DISTANCE = 0.02, 0.03  # of the face's side; where the confidence has fallen to 0.6
_UPPER, _LOWER = range(49, 54), range(55, 60)  # outer lips without the corners
_EYES = ((36, 39, (37, 38), (40, 41)), (42, 45, (43, 44), (46, 47)))  # corners, left first in the picture; lids
_INNER_UPPER, _INNER_LOWER = (61, 62, 63), (65, 66, 67)

# Facing and up of the meshes that are tried, the usual ones first: Blender's, glTF's.
_Y, _Z, _X = np.eye(3)[[1, 2, 0]]
_POSES = ((-_Y, _Z), (_Z, _Y), (_Y, _Z), (_X, _Z), (-_X, _Z), (-_Z, _Y))

Points = NDArray[np.float64]


@dataclass(frozen=True)
class MeshLandmarks:
    """Where a mesh has its 68 landmarks.

    Attributes:
        vertices: i32 (68,), indices of vertices.
        points: f32 (68, 2), pixels of `picture`, as the detector placed them.
        confidence: f32 (68,), 0 to 1: low where the detector wavers, or where no vertex is near.
        picture: u8 (H, W, 3), the face from the front.
        view: from where it was drawn; its `turn` makes displacements of vertices displacements of landmarks.
    """

    vertices: NDArray[np.int32]
    points: NDArray[np.float32]
    confidence: NDArray[np.float32]
    picture: NDArray[np.uint8]
    view: View


def find_landmarks(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    detector: FaceDetector | None = None,
    progress: Progress = silent,
) -> MeshLandmarks:
    """Finds the landmarks of the face of a mesh.

    Args:
        vertices: (V, 3), in any unit and any pose along the axes.
        triangles: (F, 3), indices of vertices, of either winding.
        detector: one that is open; another is opened if it is left out.
        progress: told of every side that is looked at.

    Raises:
        ShapeError: the arrays are no mesh.
        NoFaceError: no face is seen from any side.
        FaceError: the mesh has two heads.
    """
    kept, vertices, triangles = _joined(*_checked(vertices, triangles))
    with FaceDetector() if detector is None else nullcontext(detector) as finder:
        view, face, picture = _first_look(vertices, triangles, finder, progress)
        seen = _pick(face.landmarks, picture)
        if face.face_count > 1 and _has_other(vertices, triangles, view, face, finder):
            raise FaceError(
                "the mesh has more than one head; select one character, or separate the heads into two objects."
            )
        positions = np.einsum("pc,pcx->px", picture.barycentric[*seen], vertices[triangles[picture.triangle[*seen]]])
        view = _close_view(view.axes, positions)
        picture = draw(vertices, triangles, view)
        try:
            face = finder.detect(picture.colours)
        except (NoFaceError, FaceError) as error:
            raise _no_face() from error
    chosen = _vertices_of(vertices, triangles, view, picture, face)
    distance = np.linalg.norm(view.project(vertices[chosen])[:, :2] - face.landmarks, axis=1) / face.side_pixels
    doubt = (face.movement / _UNSURE_MOVEMENT) ** 2 + (distance / _UNSURE_DISTANCE) ** 2
    confidence = np.exp(-doubt / 2).astype(np.float32)
    return MeshLandmarks(kept[chosen].astype(np.int32), face.landmarks, confidence, picture.colours, view)


def _checked(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> tuple[Points, NDArray[np.int64]]:
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


def _joined(vertices: Points, triangles: NDArray[np.int64]) -> tuple[NDArray[np.int64], Points, NDArray[np.int64]]:
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


def _edges(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """The edges (3 F, 2) of triangles, each with its lower vertex first."""
    return np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)


def _no_face() -> NoFaceError:
    return NoFaceError(
        "no face was found on the mesh from any side; choose the object that holds the head, hide what covers the "
        "face, or place the landmarks by hand."
    )


def _first_look(
    vertices: Points, triangles: NDArray[np.int64], detector: FaceDetector, progress: Progress
) -> tuple[View, Face, Picture]:
    """The whole mesh from the first side that shows a face for certain, else from the side that shows the best one."""
    found: list[tuple[float, View, Face, Picture]] = []
    for number, (facing, up) in enumerate(_POSES):
        progress("look", number, len(_POSES))
        axes = np.stack([np.cross(-up, -facing), -up, -facing])
        for size in _WHOLE_PIXELS:
            view = view_around(vertices, size, axes=axes)
            picture = draw(vertices, triangles, view)
            try:
                face = detector.detect(picture.colours)
            except NoFaceError:
                break
            except FaceError:  # too small, as on a tall body, or from the side
                continue
            found.append((float(face.movement.mean()), view, face, picture))
            break
        if found and found[-1][0] < _STEADY:
            break
    if not found:
        raise _no_face()
    return min(found, key=lambda look: look[0])[1:]


def _pick(points: NDArray[np.floating], picture: Picture) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the covered pixels that are nearest to points (N, 2)."""
    rows, columns = np.nonzero(picture.triangle >= 0)
    nearest = KDTree(np.stack([columns, rows], axis=1)).query(points)[1]
    return rows[nearest], columns[nearest]


def _has_other(vertices: Points, triangles: NDArray[np.int64], view: View, face: Face, detector: FaceDetector) -> bool:
    """Whether a face is seen when the head that was found is taken away."""
    centre = (face.landmarks.min(0) + face.landmarks.max(0)) / 2
    away = np.abs(view.project(vertices)[triangles, :2].mean(1) - centre).max(1) > face.side_pixels
    if not away.any():
        return False
    try:
        other = detector.detect(draw(vertices, triangles[away], view).colours)
    except (NoFaceError, FaceError):
        return False
    return float(other.movement.mean()) < _STEADY and other.side_pixels > face.side_pixels / 3


def _close_view(axes: Points, positions: Points) -> View:
    """A view of the face alone, upright and from the front, by where its landmarks (68, 3) are."""
    eyes, mouth = positions[36:48].mean(0), positions[LIPS].mean(0)
    right = positions[LEFT_EYE].mean(0) - positions[RIGHT_EYE].mean(0) + positions[54] - positions[48]
    right /= np.linalg.norm(right)
    down = mouth - eyes
    down -= (down @ right) * right
    down /= np.linalg.norm(down)
    measured = np.stack([right, down, np.cross(right, down)])
    tilt = np.radians(_FACE_TILT_DEGREES)
    lean = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    measured = lean @ measured
    straight = _nearest_straight(measured, axes)
    angle = np.degrees(np.arccos(np.clip((np.trace(straight @ measured.T) - 1) / 2, -1, 1)))
    axes = straight if angle < _SNAP_DEGREES else measured
    return view_around(positions, _FACE_PIXELS, axes=axes, share=_FACE_SHARE)


def _nearest_straight(measured: Points, axes: Points) -> Points:
    """The given axes turned by right angles in the picture, so that they come nearest to those measured."""
    right, down, away = axes
    turns = [np.stack(pair) for pair in ((right, down), (down, -right), (-right, -down), (-down, right))]
    return np.vstack([max(turns, key=lambda pair: float((pair * measured[:2]).sum())), away])


def _vertices_of(
    vertices: Points, triangles: NDArray[np.int64], view: View, picture: Picture, face: Face
) -> NDArray[np.int64]:
    """The vertex (68,) for each landmark of the face."""
    parts = connected_components(_graph(vertices, triangles), directed=False)[1]
    others = np.r_[0:36, 48:60]
    hits = np.bincount(parts[triangles[picture.triangle[*_pick(face.landmarks[others], picture)], 0]])
    is_skin = np.isin(parts, np.flatnonzero(hits >= min(_SKIN_HITS, hits.max())))
    placed = view.project(vertices)
    seen = np.flatnonzero(is_skin & _are_seen(placed, picture))
    found = _nearest(seen, placed, face.landmarks)
    is_upper = _upper_side(vertices, triangles, placed, found, face)
    for points, side in ((_INNER_UPPER, is_upper[seen]), (_INNER_LOWER, ~is_upper[seen])):
        found[list(points)] = _nearest(seen[side] if side.any() else seen, placed, face.landmarks[list(points)])
    for left, right, upper, lower in _EYES:
        across, offset = face.landmarks[right] - face.landmarks[left], placed[seen, :2] - face.landmarks[left]
        is_above = across[0] * offset[:, 1] < across[1] * offset[:, 0]  # of the line between the corners
        for points, side in ((upper, is_above), (lower, ~is_above)):
            found[list(points)] = _nearest(seen[side] if side.any() else seen, placed, face.landmarks[list(points)])
    return found


def _nearest(candidates: NDArray[np.int64], placed: Points, points: NDArray[np.floating]) -> NDArray[np.int64]:
    return candidates[KDTree(placed[candidates, :2]).query(points)[1]]


def _graph(vertices: Points, triangles: NDArray[np.int64]) -> csr_matrix:
    """The edges of a mesh with their lengths."""
    edges = np.unique(_edges(triangles), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    return csr_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices)))


def _are_seen(placed: Points, picture: Picture) -> NDArray[np.bool_]:
    """Which of the projected vertices (V, 3) nothing covers."""
    around = cv2.dilate(picture.depth, np.ones((3, 3), np.uint8))
    pixel = np.round(placed[:, :2]).astype(np.int64)
    is_inside = ((pixel >= 0) & (pixel < len(around))).all(1)
    column, row = pixel.clip(0, len(around) - 1).T
    return is_inside & (placed[:, 2] <= around[row, column] + _SEEN_PIXELS)


def _upper_side(
    vertices: Points, triangles: NDArray[np.int64], placed: Points, found: NDArray[np.int64], face: Face
) -> NDArray[np.bool_]:
    """Which vertices near the mouth are nearer to the upper lip than to the lower one, along the surface.

    Lips that touch lie side by side in the picture, but far apart along the skin: around a corner of the mouth.
    """
    lips = face.landmarks[LIPS]
    low, high = lips.min(0), lips.max(0)
    near = ((placed[:, :2] > low - (high - low) / 2) & (placed[:, :2] < high + (high - low) / 2)).all(1)
    graph = _graph(vertices, triangles[near[triangles].all(1)])
    upper, lower = (
        dijkstra(graph, directed=False, indices=np.unique(found[list(points)]), min_only=True)
        for points in (_UPPER, _LOWER)
    )
    return np.where(np.isfinite(upper) | np.isfinite(lower), upper < lower, placed[:, 1] < lips[:, 1].mean())
