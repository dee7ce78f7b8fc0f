# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportOptionalSubscript=false
"""Shows rendered faces in the scene, at the right place and time.

A square in the XZ plane of the landmark armature shows the pictures of all strips of a character with their alpha, each
on its scene frame. Between strips nothing is shown; before the first and after the last strip, their first and last
picture.
"""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np

from .. import compat
from ..coordinates import CropPlane
from . import view_colours
from .picture_folder import Sequence, frame_name
from .view_colours import IMAGE_NODE

_MARK = "speech_face_plane"  # custom property of the object: the strips whose pictures it shows
_KINDS = {"ShaderNodeEmission", "ShaderNodeBsdfDiffuse"}


def is_plane(candidate: bpy.types.Object | None) -> bool:
    """Whether an object was made by `write`."""
    return candidate is not None and candidate.type == "MESH" and _MARK in candidate


def write(
    scene: bpy.types.Scene,
    plane: bpy.types.Object | None,
    name: str,
    square: CropPlane,
    sequence: Sequence,
    *,
    is_lit: bool = False,
) -> bpy.types.Object:
    """Shows a picture sequence, on an earlier plane if there is one.

    Args:
        scene: gets a new plane; its view transform decides how the pictures are read.
        plane: of an earlier bake, or None; its place in the scene and its other materials stay.
        name: of a new object.
        square: its size in metres.
        sequence: the pictures of all strips.
        is_lit: whether the scene's lights shade the picture, instead of its own colours shining.
    """
    if plane is None or not is_plane(plane):
        plane = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        scene.collection.objects.link(plane)
    plane[_MARK] = sequence.shown()
    _shape(plane.data, square)
    material = next((m for m in plane.data.materials if m and _image_node(m)), None)
    if material is None:
        material = compat.new_node_material(name)
        material.surface_render_method = "BLENDED"
        plane.data.materials.append(material)
    _draw(material, is_lit)
    _show(material, name, sequence)
    view_colours.match(scene, plane)
    return plane


def sequence_of(plane: bpy.types.Object | None) -> Sequence | None:
    """The pictures that a plane shows; None on any other object."""
    if not is_plane(plane) or (node := image_node(plane)) is None or node.image is None:
        return None
    path = os.path.normpath(bpy.path.abspath(node.image.filepath))
    return Sequence.of(Path(path).parent, str(plane[_MARK]))


def move(plane: bpy.types.Object, folder: Path, relative_to: Path | None = None) -> None:
    """Shows the same pictures in another folder; by a relative path if the .blend's folder is given."""
    image = image_node(plane).image
    image.filepath = _path(folder / frame_name(0), relative_to)


def image_node(plane: bpy.types.Object) -> bpy.types.ShaderNodeTexImage | None:
    """The node that shows the sequence, or None on any other object."""
    return next((node for m in plane.data.materials if m and (node := _image_node(m))), None)


def _image_node(material: bpy.types.Material) -> bpy.types.ShaderNodeTexImage | None:
    return material.node_tree.nodes.get(IMAGE_NODE) if material.node_tree else None


def _shape(mesh: bpy.types.Mesh, square: CropPlane) -> None:
    corners = square.corners().astype(np.float32)
    if len(mesh.vertices) != 4:
        mesh.clear_geometry()
        mesh.from_pydata(corners.tolist(), [], [(0, 1, 2, 3)])
        layer = mesh.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", np.array([0, 0, 1, 0, 1, 1, 0, 1], np.float32))
    mesh.vertices.foreach_set("co", corners.ravel())
    mesh.update()


def _draw(material: bpy.types.Material, is_lit: bool) -> None:
    """Makes the nodes, unless they are there: opaque where the picture is, clear where it is transparent."""
    tree = material.node_tree
    kind = "ShaderNodeBsdfDiffuse" if is_lit else "ShaderNodeEmission"
    if _image_node(material) is not None and _KINDS & {node.bl_idname for node in tree.nodes} == {kind}:
        return
    image = node.image if (node := _image_node(material)) is not None else None
    tree.nodes.clear()
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.name = picture.label = IMAGE_NODE
    picture.extension, picture.image = "CLIP", image
    surface = tree.nodes.new(kind)
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    mix = tree.nodes.new("ShaderNodeMixShader")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    for column, node in enumerate((picture, surface, mix, output)):
        node.location = (300 * column, 0)
    clear.location = (300, 150)
    for source, target in (
        (picture.outputs["Color"], surface.inputs["Color"]),
        (picture.outputs["Alpha"], mix.inputs["Fac"]),
        (clear.outputs["BSDF"], mix.inputs[1]),
        (surface.outputs[0], mix.inputs[2]),
        (mix.outputs["Shader"], output.inputs["Surface"]),
    ):
        tree.links.new(source, target)


def _show(material: bpy.types.Material, name: str, sequence: Sequence) -> None:
    node = _image_node(material)
    earlier, frames = node.image, sequence.frames
    image = bpy.data.images.load(str(sequence.folder / frame_name(0)))
    image.name = f"{name} Frames"
    image.source = "SEQUENCE"
    image.alpha_mode = "STRAIGHT"
    image.filepath = _path(Path(image.filepath), Path(bpy.data.filepath).parent if bpy.data.filepath else None)
    node.image = image
    user = node.image_user
    user.frame_start = frames.start
    user.frame_duration = len(frames)
    user.frame_offset = 0  # the first file is number 1
    user.use_cyclic = False
    user.use_auto_refresh = True
    if earlier is not None and not earlier.users:
        bpy.data.images.remove(earlier)


def _path(path: Path, relative_to: Path | None) -> str:
    if relative_to is None or path.anchor != relative_to.anchor:
        return str(path)
    return bpy.path.relpath(str(path), start=str(relative_to))
