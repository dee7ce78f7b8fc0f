# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Shows a rendered face in the scene, at the right place and time.

A square in the XZ plane of the landmark armature shows the picture sequence with its alpha, unlit, in sRGB. Picture 1
is shown on the strip's first frame; before and after the strip, the first and the last picture are shown.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from . import compat
from .coordinates import CropPlane
from .png_writer import frame_name

_MARK = "speech_face_plane"  # custom property of the object
_IMAGE_NODE = "Speech Face Frames"


def is_plane(candidate: bpy.types.Object | None) -> bool:
    """Whether an object was made by `write`."""
    return candidate is not None and candidate.type == "MESH" and _MARK in candidate


def write(
    scene: bpy.types.Scene, plane: bpy.types.Object | None, name: str, square: CropPlane, folder: Path, frames: range
) -> bpy.types.Object:
    """Shows a picture sequence, on an earlier plane if there is one.

    Args:
        scene: gets a new plane.
        plane: of an earlier bake, or None; its place in the scene and its other materials stay.
        name: of a new object.
        square: its size in metres.
        folder: holds frame_0001.png and so on.
        frames: the scene frames, one per picture.
    """
    if plane is None or not is_plane(plane):
        plane = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        plane[_MARK] = True
        scene.collection.objects.link(plane)
    _shape(plane.data, square)
    material = next((m for m in plane.data.materials if m and _image_node(m)), None)
    if material is None:
        material = _make_material(name)
        plane.data.materials.append(material)
    _show(material, name, folder, frames)
    return plane


def image_node(plane: bpy.types.Object) -> bpy.types.ShaderNodeTexImage | None:
    """The node that shows the sequence, or None on any other object."""
    return next((node for m in plane.data.materials if m and (node := _image_node(m))), None)


def _image_node(material: bpy.types.Material) -> bpy.types.ShaderNodeTexImage | None:
    return material.node_tree.nodes.get(_IMAGE_NODE) if material.node_tree else None


def _shape(mesh: bpy.types.Mesh, square: CropPlane) -> None:
    corners = square.corners().astype(np.float32)
    if len(mesh.vertices) != 4:
        mesh.clear_geometry()
        mesh.from_pydata(corners.tolist(), [], [(0, 1, 2, 3)])
        layer = mesh.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", np.array([0, 0, 1, 0, 1, 1, 0, 1], np.float32))
    mesh.vertices.foreach_set("co", corners.ravel())
    mesh.update()


def _make_material(name: str) -> bpy.types.Material:
    """Emission where the picture is opaque, nothing where it is transparent."""
    material = compat.new_node_material(name)
    material.surface_render_method = "BLENDED"
    tree = material.node_tree
    tree.nodes.clear()
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.name = picture.label = _IMAGE_NODE
    picture.extension = "CLIP"
    glow = tree.nodes.new("ShaderNodeEmission")
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    mix = tree.nodes.new("ShaderNodeMixShader")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    for column, node in enumerate((picture, glow, mix, output)):
        node.location = (300 * column, 0)
    clear.location = (300, 150)
    for source, target in (
        (picture.outputs["Color"], glow.inputs["Color"]),
        (picture.outputs["Alpha"], mix.inputs["Fac"]),
        (clear.outputs["BSDF"], mix.inputs[1]),
        (glow.outputs["Emission"], mix.inputs[2]),
        (mix.outputs["Shader"], output.inputs["Surface"]),
    ):
        tree.links.new(source, target)
    return material


def _show(material: bpy.types.Material, name: str, folder: Path, frames: range) -> None:
    node = _image_node(material)
    earlier = node.image
    image = bpy.data.images.load(str(folder / frame_name(0)))
    image.name = f"{name} Frames"
    image.source = "SEQUENCE"
    image.colorspace_settings.name = "sRGB"
    image.alpha_mode = "STRAIGHT"
    if bpy.data.filepath and folder.anchor == Path(bpy.data.filepath).anchor:
        image.filepath = bpy.path.relpath(image.filepath)
    node.image = image
    user = node.image_user
    user.frame_start = frames.start
    user.frame_duration = len(frames)
    user.frame_offset = 0  # the first file is number 1
    user.use_cyclic = False
    user.use_auto_refresh = True
    if earlier is not None and not earlier.users:
        bpy.data.images.remove(earlier)
