# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Keeps the 68 landmarks of a character in the scene: as they were found, and as an artist corrected them.

A landmark is a vertex of a mesh. Its number is that of the mesh as `face_surface.surface` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from .._shared import errors, landmarks, protocol
from .character import Character
from .face_surface import Landmarks, Surface

if TYPE_CHECKING:
    from .face_properties import SPEECHFACE_Face, SPEECHFACE_Landmark
    from .rig_properties import SPEECHFACE_Rigging

_FLAT = 1e-6  # of a face's size: the depth below which it counts as flat
_TINY = 1e-12


def face_of(rigging: SPEECHFACE_Rigging) -> SPEECHFACE_Face | None:
    """The landmarks of the chosen character; None if they were never looked for."""
    if rigging.character is None:
        return None
    return next((face for face in rigging.faces if face.character == rigging.character), None)


def store(
    rigging: SPEECHFACE_Rigging, character: Character, shown: Surface, found: protocol.MeshLandmarks
) -> SPEECHFACE_Face:
    """Keeps landmarks that were found on the surface of the chosen character; earlier ones are gone."""
    for number in reversed(range(len(rigging.faces))):
        if rigging.faces[number].character is None:  # it was deleted
            rigging.faces.remove(number)
    face = face_of(rigging) or rigging.faces.add()
    face.character = character.object
    face.projection = found.projection.ravel()
    face.landmarks.clear()
    face.meshes.clear()
    for label, index, confidence in zip(landmarks.LABELS, found.vertices, found.confidence, strict=True):
        number = int(np.searchsorted(shown.firsts, index, side="right")) - 1
        mesh = next(mesh for mesh in character.meshes if mesh.name == shown.meshes[number])
        row = face.landmarks.add()
        row.name, row.confidence = label, confidence
        row.found_place = shown.vertices[index]
        row.object = row.found_object = mesh
        row.vertex = row.found_vertex = int(index) - shown.firsts[number]
        _record(face, mesh, shown.firsts[number + 1] - shown.firsts[number])
    return face


def store_found(
    rigging: SPEECHFACE_Rigging, character: Character, shown: Surface, found: protocol.MeshLandmarks
) -> None:
    """Keeps landmarks that a generation has found, so that they can be seen; those that were corrected stay."""
    if not corrected_count(face_of(rigging)):
        store(rigging, character, shown, found)


def is_corrected(landmark: SPEECHFACE_Landmark) -> bool:
    """Whether a landmark lies elsewhere than where it was found."""
    return (landmark.object, landmark.vertex) != (landmark.found_object, landmark.found_vertex)


def corrected_count(face: SPEECHFACE_Face | None) -> int:
    """How many landmarks were corrected."""
    return 0 if face is None else sum(map(is_corrected, face.landmarks))


def place(face: SPEECHFACE_Face, number: int, mesh: bpy.types.Object, vertex: int, vertex_count: int) -> None:
    """Puts a landmark on a vertex of a mesh, which has so many.

    Raises:
        SpeechFaceError: the mesh had other vertices before, so that the other landmarks are wrong on it.
    """
    _record(face, mesh, vertex_count)
    row = face.landmarks[number]
    row.object, row.vertex = mesh, vertex


def reset(face: SPEECHFACE_Face, numbers: Sequence[int] | None = None) -> int:
    """Puts landmarks, or all, back to where they were found; returns how many were elsewhere."""
    rows = [face.landmarks[number] for number in (range(len(face.landmarks)) if numbers is None else numbers)]
    moved = [row for row in rows if is_corrected(row)]
    for row in moved:
        row.object, row.vertex = row.found_object, row.found_vertex
    return len(moved)


def problem(rigging: SPEECHFACE_Rigging) -> str:
    """Why corrected landmarks cannot be used, as a sentence; empty if they can. Quick: it looks at no modifiers."""
    face = face_of(rigging)
    if not corrected_count(face):
        return ""
    counts = {
        row.object: len(row.object.data.vertices)
        for row in face.landmarks
        if row.object is not None and row.object.type == "MESH" and row.object.data.shape_keys is not None
    }
    return next(_changes(face, counts), "")


def corrected(rigging: SPEECHFACE_Rigging, character: Character, shown: Surface) -> Landmarks | None:
    """The landmarks of the chosen character on its surface; None if none was corrected, so that they are found anew.

    Raises:
        SpeechFaceError: a mesh has other vertices than when they were put on it, or is hidden or gone.
    """
    face = face_of(rigging)
    if face is None or not corrected_count(face):
        return None
    firsts = dict(zip(shown.meshes, shown.firsts, strict=False))
    ends = dict(zip(shown.meshes, shown.firsts[1:], strict=True))
    meshes = {mesh: firsts[mesh.name] for mesh in character.meshes if mesh.name in firsts}
    for row in face.landmarks:
        if row.object not in meshes:
            name = "a mesh that is gone" if row.object is None else repr(row.object.name)
            raise errors.SpeechFaceError(
                f"the landmark {row.name!r} lies on {name}, which is none of the meshes that "
                f"{character.object.name!r} shows; show it, set the landmark again, or press Find Landmarks"
            )
    if sentence := next(_changes(face, {mesh: ends[mesh.name] - first for mesh, first in meshes.items()}), ""):
        raise errors.SpeechFaceError(sentence)
    vertices = np.array([meshes[row.object] + row.vertex for row in face.landmarks])
    confidence = np.array([1.0 if is_corrected(row) else row.confidence for row in face.landmarks], np.float32)
    return Landmarks(vertices, confidence, _projection(face, shown, meshes, ends))


def places(context: bpy.types.Context, face: SPEECHFACE_Face) -> NDArray[np.float64]:
    """Where the landmarks are in the world as the scene shows them, (68, 3); NaN for those whose vertex is gone."""
    depsgraph = context.evaluated_depsgraph_get()
    counts = {record.object: record.vertex_count for record in face.meshes}
    seen = {}
    found = np.full((len(face.landmarks), 3), np.nan)
    for point, row in zip(found, face.landmarks, strict=True):
        mesh = row.object
        if mesh is None or mesh.type != "MESH":
            continue
        if mesh not in seen:
            seen[mesh] = compat.shown_vertices(mesh, depsgraph, counts.get(mesh, len(mesh.data.vertices)))
        if row.vertex < len(seen[mesh]):
            point[:] = mesh.matrix_world @ seen[mesh][row.vertex].co
    return found


def shown_surface(context: bpy.types.Context, character: Character, rest: Surface) -> Surface:
    """The same surface where the scene shows it: with poses and shape keys, as far as its vertices are the same."""
    depsgraph = context.evaluated_depsgraph_get()
    points = rest.vertices.copy()
    for name, first, end in zip(rest.meshes, rest.firsts, rest.firsts[1:], strict=False):
        mesh = next(mesh for mesh in character.meshes if mesh.name == name)
        vertices = compat.shown_vertices(mesh, depsgraph, end - first)
        if len(vertices) == end - first:
            numbers = np.empty(3 * len(vertices), np.float32)
            vertices.foreach_get("co", numbers)
            matrix = np.array(mesh.matrix_world)
            points[first:end] = numbers.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return Surface(points, rest.triangles, rest.meshes, rest.firsts)


def vertex_on_surface(context: bpy.types.Context, mesh: bpy.types.Object, vertex: int) -> tuple[int, int]:
    """The number that a vertex of a mesh has on the surface, and how many the mesh has there.

    A mesh without shape keys lies on the surface with its modifiers. Where they make other vertices, it is the nearest.
    """
    count = len(mesh.data.vertices)
    if mesh.data.shape_keys is not None:
        return vertex, count
    points = compat.evaluated_points(context, mesh)
    if len(points) in (0, count):  # none: in Edit Mode, where no modifier is shown
        return vertex, count
    distances = np.square(points - np.array(mesh.data.vertices[vertex].co)).sum(axis=1)
    return int(distances.argmin()), len(points)


def _record(face: SPEECHFACE_Face, mesh: bpy.types.Object, count: int) -> None:
    """Notes how many vertices a mesh has.

    Raises:
        SpeechFaceError: it had another number before.
    """
    record = next((record for record in face.meshes if record.object == mesh), None)
    if record is None:
        record = face.meshes.add()
        record.object, record.vertex_count = mesh, count
    if record.vertex_count != count:
        raise errors.SpeechFaceError(_changed(mesh, record.vertex_count, count))


def _changes(face: SPEECHFACE_Face, counts: dict[bpy.types.Object, int]) -> Iterator[str]:
    """A sentence for each landmark whose mesh has other vertices now than when it was put there."""
    before = {record.object: record.vertex_count for record in face.meshes}
    for row in face.landmarks:
        if row.object not in counts:
            continue
        count = counts[row.object]
        if before.get(row.object, count) != count:
            yield _changed(row.object, before[row.object], count)
        elif row.vertex >= count:
            yield (
                f"the landmark {row.name!r} lies on vertex {row.vertex} of {row.object.name!r}, which has {count}; set "
                "it again, or reset it to what was found"
            )


def _changed(mesh: bpy.types.Object, before: int, now: int) -> str:
    return (
        f"the mesh {mesh.name!r} has {now} vertices, and {before} when its landmarks were placed; press Find Landmarks "
        "to place them anew"
    )


def _projection(
    face: SPEECHFACE_Face, shown: Surface, firsts: dict[bpy.types.Object, int], ends: dict[str, int]
) -> NDArray[np.float64]:
    """The projection (2, 3) turned as the head has turned, as a whole, since the landmarks were found."""
    projection = np.array(face.projection, np.float64).reshape(2, 3)
    rows = [
        (row.found_place, firsts[row.found_object] + row.found_vertex)
        for row in face.landmarks
        if row.found_object in firsts and firsts[row.found_object] + row.found_vertex < ends[row.found_object.name]
    ]
    if not rows:
        return projection
    before = np.array([place for place, _ in rows], np.float64)
    now = shown.vertices[[index for _, index in rows]].astype(np.float64)
    left, sizes, right = np.linalg.svd((now - now.mean(axis=0)).T @ (before - before.mean(axis=0)))
    if sizes[2] < _FLAT * sizes[0] and np.linalg.det(left @ right) < 0:
        left[:, 2] *= -1  # a flat face does not tell whether it was mirrored
    scale = sizes.sum() / max(np.square(before - before.mean(axis=0)).sum(), _TINY)
    return projection @ (left @ right).T / max(scale, _TINY)
