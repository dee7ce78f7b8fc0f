"""Finds the 68 landmarks on any mesh with a face, by looking at pictures of it.

The mesh is drawn from the front, the face detector reads the picture, and each landmark becomes the nearest vertex that
is seen. How the mesh lies, how large it is and whether it is mirrored does not matter.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend_server.face.detector import Face, FaceDetector
from backend_server.progress import Progress, silent
from backend_server.rig.eyes import Eyeball, find_eyeballs, lid_margins, paint
from backend_server.rig.picking import nearest_pixels, pick_vertices, skin_of
from backend_server.rig.picture import Picture, View, draw, view_around
from backend_server.rig.surface import Points, Surface, surface_of
from shared.errors import FaceError, NoFaceError
from shared.landmarks import LEFT_EYE, LIPS, RIGHT_EYE

_WHOLE_PIXELS, _LARGE_PIXELS = 768, 1536  # sides of pictures of the whole mesh; the larger to look for small heads
_OTHERS_PIXELS = 100  # of a face's side; below it other heads are looked for in the larger picture
_MOST_PLACES = 4  # that are looked at closely
_PLACE_SHARE = 0.3  # of the picture's side that the detector's box around a face takes then
_SMALL_PART = 0.1  # of the largest loose part's vertices: fewer may be hair
_COVERED = 0.002  # of the box around the landmarks
_FACE_PIXELS = 768  # side of the picture of the face
_FACE_SHARE = 0.55  # of that picture's side that the landmarks take
_STEADY = 0.012  # of the face's side: how far landmarks may move, on average, with how the face is cut out
_SNAP_DEGREES = 20.0  # a head that is nearly straight in the mesh's own axes is looked at along them
_FACE_TILT_DEGREES = 13.0  # how far the line from mouth to eyes leans back in a head that looks straight ahead
_UNSURE_MOVEMENT, _UNSURE_DISTANCE = 0.02, 0.03  # of the face's side; where the confidence has fallen to 0.6

# Facing and up of the meshes that are tried, the usual ones first: Blender's, glTF's.
_Y, _Z, _X = np.eye(3)[[1, 2, 0]]
_POSES = tuple(
    np.stack([np.cross(-up, -facing), -up, -facing])
    for facing, up in ((-_Y, _Z), (_Z, _Y), (_Y, _Z), (_X, _Z), (-_X, _Z), (-_Z, _Y))
)


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


class _Look(NamedTuple):
    """What was seen of a mesh, from where, in a picture of which of its triangles."""

    view: View
    face: Face
    picture: Picture
    triangles: NDArray[np.int64]

    @property
    def unsteadiness(self) -> float:
        """How far landmarks move with how the face is cut out, over its side: little on a face."""
        return float(self.face.movement.mean())


def find_landmarks(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    detector: FaceDetector | None = None,
    progress: Progress = silent,
    name: str | None = None,
) -> MeshLandmarks:
    """Finds the landmarks of the face of a mesh.

    Args:
        vertices: (V, 3), in any unit and any pose along the axes.
        triangles: (F, 3), indices of vertices, of either winding.
        detector: one that is open; another is opened if it is left out.
        progress: told of every side that is looked at.
        name: what the user calls the mesh, for errors.

    Raises:
        ShapeError: the arrays are no mesh.
        NoFaceError: no face is seen from any side.
        FaceError: the mesh has two heads.
    """
    surface = surface_of(vertices, triangles)
    name = f"the mesh of {len(vertices)} vertices" if name is None else repr(name)
    with FaceDetector() if detector is None else nullcontext(detector) as finder:
        eyeballs = find_eyeballs(surface)
        look = _first_look(surface, eyeballs, finder, progress)
        if look is None:
            raise NoFaceError(
                f"no face was found on {name} from any side; choose the object that holds the head, hide hair and "
                "whatever else covers the face, or place the landmarks by hand."
            )
        row_column = nearest_pixels(look.face.landmarks, look.picture)
        corners = surface.vertices[look.triangles[look.picture.triangle[*row_column]]]
        positions = np.einsum("pc,pcx->px", look.picture.barycentric[*row_column], corners)
        view = _close_view(look.view.axes, positions)
        if _has_other(surface, eyeballs, look, view.axes, positions, finder):
            raise FaceError(
                f"{name} has more than one head; select one character, or separate the heads into two objects."
            )
        close = _close_look(surface, eyeballs, look, view, finder)
        if close is None:
            raise NoFaceError(
                f"what looks like a face on {name} is none from nearby; choose the object that holds the head, or "
                "place the landmarks by hand."
            )
        look, is_skin = close
    view, face = look.view, look.face
    placed = view.project(surface.vertices)
    chosen = pick_vertices(surface, is_skin, placed, look.picture, face.landmarks)
    points = face.landmarks.astype(np.float32)
    for number, (vertex, point) in lid_margins(surface, is_skin, eyeballs, view, points).items():
        chosen[number], points[number] = vertex, point
    distance = np.linalg.norm(placed[chosen, :2] - points, axis=1) / face.side_pixels
    doubt = (face.movement / _UNSURE_MOVEMENT) ** 2 + (distance / _UNSURE_DISTANCE) ** 2
    confidence = np.exp(-doubt / 2).astype(np.float32)
    return MeshLandmarks(surface.kept[chosen].astype(np.int32), points, confidence, look.picture.colours, view)


def _first_look(surface: Surface, eyeballs: list[Eyeball], detector: FaceDetector, progress: Progress) -> _Look | None:
    """The mesh from a side that shows a face, steady if there is one; closer, and without what may cover it, if none.

    Hair and lashes are made of many small parts.
    """
    counts = np.bincount(surface.parts)
    is_large = (counts >= _SMALL_PART * counts.max()) | np.isin(
        np.arange(len(counts)), [ball.part for ball in eyeballs]
    )
    large = surface.triangles[is_large[surface.triangle_parts]]
    both = (surface.triangles, large) if len(large) < len(surface.triangles) else (surface.triangles,)
    ways = [(triangles, is_close) for is_close in (False, True) for triangles in both]
    for way, (triangles, is_close) in enumerate(ways):
        found: list[_Look] = []
        for number, axes in enumerate(_POSES):
            progress("look", way * len(_POSES) + number, len(ways) * len(_POSES))
            found += _looks(surface, triangles, axes, eyeballs, detector, is_close=is_close)
            if found and found[-1].unsteadiness < _STEADY:
                return found[-1]
        if found:
            return min(found, key=lambda look: look.unsteadiness)
    return None


def _looks(
    surface: Surface,
    triangles: NDArray[np.int64],
    axes: Points,
    eyeballs: list[Eyeball],
    detector: FaceDetector,
    *,
    is_close: bool,
) -> list[_Look]:
    """What is seen from one side: the face of the whole picture, or of the places where small ones may be."""
    view = view_around(surface.vertices, _LARGE_PIXELS if is_close else _WHOLE_PIXELS, axes=axes)
    picture = _drawn(surface, triangles, view, eyeballs)
    if not is_close:
        try:
            return [_Look(view, detector.detect(picture.colours), picture, triangles)]
        except NoFaceError:
            return []
        except FaceError:  # too small, as on a tall body, or from the side
            pass
    found = []
    for box in detector.places(picture.colours)[:_MOST_PLACES]:
        near = view.moved((box.x, box.y), _PLACE_SHARE * _WHOLE_PIXELS / box.side, _WHOLE_PIXELS)
        picture = _drawn(surface, triangles, near, eyeballs)
        try:
            found.append(_Look(near, detector.detect(picture.colours), picture, triangles))
        except (NoFaceError, FaceError):
            continue
    return sorted(found, key=lambda look: -look.unsteadiness)


def _has_other(
    surface: Surface, eyeballs: list[Eyeball], look: _Look, axes: Points, positions: Points, detector: FaceDetector
) -> bool:
    """Whether a face is seen, upright along `axes`, without the head whose landmarks (68, 3) were found."""
    view = view_around(surface.vertices, _WHOLE_PIXELS, axes=axes)
    if np.ptp(view.project(positions)[:, :2], axis=0).max() < _OTHERS_PIXELS:
        view = view_around(surface.vertices, _LARGE_PIXELS, axes=axes)
    placed = view.project(positions)[:, :2]
    side = float(np.ptp(placed, axis=0).max())
    centre = (placed.min(0) + placed.max(0)) / 2
    away = np.abs(view.project(surface.vertices)[look.triangles, :2].mean(1) - centre).max(1) > side
    if not away.any():
        return False
    triangles = look.triangles[away]
    for box in detector.places(_drawn(surface, triangles, view, eyeballs).colours, may_lie=False)[:_MOST_PLACES]:
        near = view.moved((box.x, box.y), _PLACE_SHARE * _WHOLE_PIXELS / box.side, _WHOLE_PIXELS)
        try:
            other = detector.detect(_drawn(surface, triangles, near, eyeballs).colours)
        except (NoFaceError, FaceError):
            continue
        other_side = other.side_pixels * view.pixels_per_unit / near.pixels_per_unit
        if float(other.movement.mean()) < _STEADY and other_side > side / 3:
            return True
    return False


def _close_look(
    surface: Surface, eyeballs: list[Eyeball], look: _Look, view: View, detector: FaceDetector
) -> tuple[_Look, NDArray[np.bool_]] | None:
    """The face alone, without what lies before it, and which vertices (V,) are its skin; None if no face is seen."""
    balls = [ball.part for ball in eyeballs]
    try:
        picture = _drawn(surface, look.triangles, view, eyeballs)
        face = detector.detect(picture.colours)
        is_skin = skin_of(surface, look.triangles, picture, face.landmarks)
        is_shown = is_skin | np.isin(surface.parts, balls)
        shown = look.triangles[is_shown[look.triangles[:, 0]]]
        if _is_covered(picture, is_shown[look.triangles[:, 0]], face):
            picture = _drawn(surface, shown, view, eyeballs)
            face = detector.detect(picture.colours)
    except (NoFaceError, FaceError):
        return None
    return _Look(view, face, picture, shown), is_skin


def _is_covered(picture: Picture, is_shown: NDArray[np.bool_], face: Face) -> bool:
    """Whether the face's pixels show more than a few triangles that are neither skin nor eyes."""
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    part = picture.triangle[max(0, int(low[1])) : int(high[1]) + 1, max(0, int(low[0])) : int(high[0]) + 1]
    return float(((part >= 0) & ~is_shown[part]).mean()) > _COVERED


def _drawn(surface: Surface, triangles: NDArray[np.int64], view: View, eyeballs: list[Eyeball]) -> Picture:
    picture = draw(surface.vertices, triangles, view)
    paint(picture, surface, triangles, view, eyeballs)
    return picture


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
