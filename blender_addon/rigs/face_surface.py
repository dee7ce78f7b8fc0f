# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Measures what the channels of a character do to its face, for rigs whose names say nothing.

All visible meshes are one surface in world space. A mesh with shape keys lies in it as its basis key, without modifiers
and poses: there each shape key's displacement is exact, whatever the character does on this frame. A mesh without them
lies as it is seen, and bones are moved a little to see what they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from .._shared import errors, landmarks, protocol, rig_mapping
from . import character_keys, rig_table
from .character import Character, coordinates, displacements_of
from .preview import Preview

if TYPE_CHECKING:
    from .rig_properties import SPEECHFACE_Rigging

LOCATION_SHARE = 0.25  # of the eyes' distance: how far a bone of an unknown rig is moved at most
ROTATION_DEGREES = 25.0
MAX_BONES = 150  # of an armature; of a larger one only those that deform are tried
_STEP = 0.5  # of a bone channel's range, for the difference
_LEAST_AT_MOUTH = 0.01  # eye distances, that some channel must move the mouth by
_WHOLE_FACE = 0.5  # of what a channel moves most: where the bridge of the nose moves so far, the head moves
_EYES = (36, 45)  # outer corners
_MOUTH = slice(48, 68)

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """The meshes of a character as one.

    Attributes:
        vertices: f32 (V, 3), world space.
        triangles: i32 (F, 3).
        meshes: names of the objects, in order.
        firsts: index of the first vertex of each mesh, and V.
    """

    vertices: Points
    triangles: NDArray[np.int32]
    meshes: tuple[str, ...]
    firsts: tuple[int, ...]


@dataclass(frozen=True)
class Landmarks:
    """Where a surface has the 68 landmarks.

    Attributes:
        vertices: (68,), indices of its vertices.
        confidence: f32 (68,), 0 to 1.
        projection: f64 (2, 3): displacements in the world @ its transpose are those of a picture from the front.
    """

    vertices: NDArray[np.integer]
    confidence: NDArray[np.float32]
    projection: NDArray[np.float64]


def surface(context: bpy.types.Context, character: Character) -> Surface:
    """Reads all visible meshes of a character.

    Raises:
        SpeechFaceError: there are no faces.
    """
    shown = [mesh for mesh in character.meshes if mesh.visible_get() or mesh == character.object]
    points, triangles, firsts = [], [], [0]
    for mesh in shown:
        data = mesh.data if mesh.data.shape_keys is not None else _evaluated(context, mesh).data
        its = _basis(mesh) if mesh.data.shape_keys is not None else _points(data)
        points.append(_placed(mesh, its))
        data.calc_loop_triangles()
        corners = np.empty(len(data.loop_triangles) * 3, np.int32)
        data.loop_triangles.foreach_get("vertices", corners)
        triangles.append(corners.reshape(-1, 3) + firsts[-1])
        firsts.append(firsts[-1] + len(its))
    if not sum(map(len, triangles)):
        raise errors.SpeechFaceError(
            f"{character.object.name} shows no mesh with faces; show the head, or pick the mesh that is one"
        )
    names = tuple(mesh.name for mesh in shown)
    return Surface(np.concatenate(points), np.concatenate(triangles), names, tuple(firsts))


def displacements(
    context: bpy.types.Context,
    character: Character,
    channels: Sequence[rig_mapping.Channel],
    shown: Surface,
    vertices: NDArray[np.integer],
) -> NDArray[np.float32]:
    """How far each channel at 1 moves P vertices of the surface, f32 (C, P, 3), world space."""
    moved = np.zeros((len(channels), len(vertices), 3), np.float32)
    numbers = {channel.name: number for number, channel in enumerate(channels) if channel.bone is None}
    for part in character.parts:
        for own, local, turn in _shares(character, shown, vertices, part.object.name):
            for name, deltas in displacements_of(part.object, [name for name in part.names if name in numbers]):
                moved[numbers[name], own] = deltas[local] @ turn.T
    posed = [(number, channel) for number, channel in enumerate(channels) if channel.bone is not None]
    rest = _seen(context, character, shown, vertices) if posed else np.empty(0)
    for number, channel in posed:
        step = _STEP * (channel.most or channel.least)
        preview = Preview(character, channel)
        try:
            preview.show(step)
            moved[number] = (_seen(context, character, shown, vertices) - rest) / step
        finally:
            preview.restore()
    if posed:
        context.view_layer.update()
    return moved


def measure(
    context: bpy.types.Context,
    character: Character,
    rigging: SPEECHFACE_Rigging,
    shown: Surface,
    found: Landmarks | protocol.MeshLandmarks,
) -> tuple[rig_mapping.RigMapping, protocol.RigFace]:
    """The channels that move the face, and what they do to it as it is seen from the front.

    Args:
        context: Blender's context.
        character: whose surface it is, unchanged since.
        rigging: rows of its table give their channels gain, limits and muting.
        shown: the surface in which the landmarks were found.
        found: where they are.

    Raises:
        SpeechFaceError: no channel moves the mouth, or the meshes have changed.
    """
    if surface(context, character).firsts != shown.firsts:
        raise errors.SpeechFaceError(f"the meshes of {character.object.name} were changed meanwhile; generate again")
    rest = shown.vertices[found.vertices]
    rows = {row.name: rig_table.channel_of(row) for row in rigging.channels}
    channels = [rows.get(channel.name, channel) for channel in unknown_channels(character, rest)]
    moved = displacements(context, character, channels, shown, found.vertices)
    chosen = useful(moved, rest)
    channels = tuple(channel for channel, is_chosen in zip(channels, chosen, strict=True) if is_chosen)
    mapping = rig_mapping.RigMapping(rigging.name or "solved", channels, gain=round(rigging.gain, 6))
    rest_seen, basis = ((points @ found.projection.T).astype(np.float32) for points in (rest, moved[chosen]))
    return mapping, protocol.RigFace(rest_seen, basis, found.confidence)


def unknown_channels(character: Character, rest: NDArray) -> list[rig_mapping.Channel]:
    """Channels for a rig whose names say nothing: every shape key, or else every transform of every bone.

    Args:
        character: has them.
        rest: world positions (68, 3) of the landmarks, for the size of the face.
    """
    if character.names:
        return [rig_mapping.Channel(name) for name in character.names]
    eyes = float(np.linalg.norm(rest[_EYES[0]] - rest[_EYES[1]]))
    reach = {"location": (LOCATION_SHARE * eyes, "metres"), "rotation": (ROTATION_DEGREES, "degrees")}
    bones = [bone.name for bone in character.armature.data.bones]
    if len(bones) > MAX_BONES:
        bones = [bone.name for bone in character.armature.data.bones if bone.use_deform]
    channels = []
    for bone in bones:
        for kind, (amount, unit) in reach.items():
            for axis in "xyz":
                target = rig_mapping.BoneTarget(bone, f"{kind}_{axis}", amount, unit, -amount, amount)
                name = f"{bone} {kind} {axis}"[: rig_mapping.MAX_NAME]
                channels.append(rig_mapping.Channel(name, least=-1.0, most=1.0, bone=target))
    none = np.zeros((1, len(channels)))
    movable = {name for track in character_keys.tracks(character, channels, none)[0] for name in track.channels}
    return [channel for channel in channels if channel.name in movable]


def useful(moved: NDArray, rest: NDArray) -> NDArray[np.bool_]:
    """Which channels (C,) move the face's own parts, and not the whole head or nothing near the landmarks.

    Args:
        moved: displacements (C, 68, 3) of the landmarks.
        rest: their positions (68, 3).

    Raises:
        SpeechFaceError: none moves the mouth.
    """
    eyes = float(np.linalg.norm(rest[_EYES[0]] - rest[_EYES[1]]))
    lengths = np.linalg.norm(moved, axis=2)
    most = lengths.max(axis=1, initial=0.0)
    is_head = lengths[:, landmarks.NOSE_BRIDGE].mean(axis=1) > _WHOLE_FACE * most
    chosen = (most > 1e-3 * eyes) & ~is_head
    if not (lengths[chosen][:, _MOUTH] > _LEAST_AT_MOUTH * eyes).any():
        raise errors.SpeechFaceError(
            f"none of the {len(moved)} channels moves the mouth; choose the head whose shape keys or bones do"
        )
    return chosen


def _shares(
    character: Character, shown: Surface, vertices: NDArray[np.integer], name: str
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.integer], NDArray[np.float64]]]:
    """For a mesh of the surface: which vertices are its own, their indices in it, and its turn and scale (3, 3)."""
    for number, mesh in enumerate(shown.meshes):
        own = (vertices >= shown.firsts[number]) & (vertices < shown.firsts[number + 1])
        if mesh == name and own.any():
            matrix = next(item for item in character.meshes if item.name == name).matrix_world
            yield own, vertices[own] - shown.firsts[number], np.array(matrix.to_3x3())


def _seen(
    context: bpy.types.Context, character: Character, shown: Surface, vertices: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Where vertices of the surface are in the evaluated scene, (P, 3)."""
    context.view_layer.update()
    places = np.zeros((len(vertices), 3))
    for mesh in character.meshes:
        for own, local, _ in _shares(character, shown, vertices, mesh.name):
            points = _evaluated(context, mesh).data.vertices
            places[own] = np.array([mesh.matrix_world @ points[int(index)].co for index in local])
    return places


def _evaluated(context: bpy.types.Context, mesh: bpy.types.Object) -> bpy.types.Object:
    return mesh.evaluated_get(context.evaluated_depsgraph_get())


def _basis(mesh: bpy.types.Object) -> Points:
    return coordinates(mesh.data.shape_keys.reference_key)


def _points(data: bpy.types.Mesh) -> Points:
    points = np.empty(len(data.vertices) * 3, np.float32)
    data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def _placed(mesh: bpy.types.Object, points: Points) -> Points:
    matrix = np.array(mesh.matrix_world)
    return (points @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
