# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Makes a mesh with ARKit's 52 shape keys from the head that ships, `backend_server/samples/head.npz`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import bpy
import numpy as np
from numpy.typing import NDArray

from . import compat
from ._shared import errors

_STEP_METRES = 1e-5  # of the stored vertices
_COLOURS = {  # of the head's parts, linear RGB and roughness
    "skin": (0.55, 0.33, 0.25, 0.55),
    "lips": (0.45, 0.17, 0.15, 0.4),
    "tongue": (0.45, 0.14, 0.13, 0.4),
    "upper_teeth": (0.75, 0.7, 0.6, 0.25),
    "lower_teeth": (0.75, 0.7, 0.6, 0.25),
    "left_eye": (0.8, 0.8, 0.78, 0.15),
    "right_eye": (0.8, 0.8, 0.78, 0.15),
    "iris": (0.1, 0.16, 0.2, 0.15),
    "pupil": (0.005, 0.005, 0.005, 0.1),
}
_OTHER = (0.5, 0.5, 0.5, 0.5)


@dataclass(frozen=True)
class SampleHead:
    """A head of V vertices in metres: Z up, facing -Y, the neck's cut at Z = 0.

    Attributes:
        vertices: f32 (V, 3).
        faces: i32 (F, 4).
        face_parts: u8 (F,), indices of `parts`.
        parts: their names.
        uv: f32 (F, 4, 2).
        shapes: the names of the shapes.
        deltas: f32 (C, V, 3), displacements of the shapes at weight 1.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_parts: NDArray[np.uint8]
    parts: tuple[str, ...]
    uv: NDArray[np.float32]
    shapes: tuple[str, ...]
    deltas: NDArray[np.float32]


def load(path: Path) -> SampleHead:
    """Reads the file.

    Raises:
        SpeechFaceError: it is missing or damaged.
    """
    try:
        with np.load(path) as stored:
            vertices = stored["vertices"].astype(np.float32) * np.float32(_STEP_METRES)
            shapes = tuple(stored["shapes"].tolist())
            deltas = np.zeros((len(shapes), *vertices.shape), np.float32)
            shape = np.repeat(np.arange(len(shapes)), stored["moved"])
            deltas[shape, stored["vertex"]] = stored["delta"] * np.float32(_STEP_METRES)
            faces, parts = stored["faces"].astype(np.int32), tuple(stored["parts"].tolist())
            uv = stored["uv"].astype(np.float32) / np.float32(65535)
            return SampleHead(vertices, faces, stored["face_parts"], parts, uv, shapes, deltas)
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise errors.SpeechFaceError(f"cannot read the head {path}: {error}; give the file that ships") from error


def add(scene: bpy.types.Scene, name: str, head: SampleHead) -> bpy.types.Object:
    """Adds the head to a scene as one mesh, a material for each part."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(head.vertices, [], head.faces.tolist())
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", head.uv.ravel())
    for part in head.parts:
        mesh.materials.append(_material(part))
    mesh.polygons.foreach_set("material_index", head.face_parts.astype(np.int32))
    mesh.shade_smooth()
    made = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(made)
    made.shape_key_add(name="Basis")
    for shape, moved in zip(head.shapes, head.deltas, strict=True):
        block = made.shape_key_add(name=shape, from_mix=False)
        block.points.foreach_set("co", (head.vertices + moved).ravel())
        block.value = 0.0
    return made


def _material(part: str) -> bpy.types.Material:
    material = compat.new_node_material(part.replace("_", " ").capitalize())
    *colour, roughness = _COLOURS.get(part, _OTHER)
    material.diffuse_color = (*colour, 1.0)
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return material
