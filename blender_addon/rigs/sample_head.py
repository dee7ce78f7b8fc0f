# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Makes a mesh with ARKit's 52 shape keys from the head that ships, `backend_server/samples/head.npz`."""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from .._shared import head_file

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


def add(scene: bpy.types.Scene, name: str, head: head_file.Head) -> bpy.types.Object:
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
