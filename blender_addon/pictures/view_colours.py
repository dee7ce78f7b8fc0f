# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Makes the picture keep the colours of the photo under any view transform.

A view transform such as AgX changes colours that were made for a screen. Blender can read a picture as what such a
transform has made; then the transform makes the picture again. Exposure, gamma and looks act on it as on all else.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

IMAGE_NODE = "Speech Face Frames"
_SPACES = {  # view transform -> the colour space of pictures that it has made
    "AgX": "AgX Base sRGB",
    "Filmic": "Filmic sRGB",
    "Khronos PBR Neutral": "Khronos PBR Neutral sRGB",
    "ACES 1.3": "ACES 1.3 sRGB",
    "ACES 2.0": "ACES 2.0 sRGB",
}


def space_of(view_transform: str) -> str:
    """The colour space in which a picture looks as it is; sRGB for transforms that change nothing or are unknown."""
    return _SPACES.get(view_transform, "sRGB")


def match(scene: bpy.types.Scene, plane: bpy.types.Object) -> None:
    """Reads the pictures of a plane so that the scene's view transform shows their own colours.

    A picture that lights shade is read as sRGB: it is a surface like others.
    """
    for material in plane.data.materials:
        node = material.node_tree.nodes.get(IMAGE_NODE) if material and material.node_tree else None
        if node is None or node.image is None:
            continue
        is_lit = any(other.bl_idname == "ShaderNodeBsdfDiffuse" for other in material.node_tree.nodes)
        wanted = "sRGB" if is_lit else space_of(scene.view_settings.view_transform)
        if node.image.colorspace_settings.name != wanted:
            node.image.colorspace_settings.name = wanted


@persistent
def _match_all(*_: object) -> None:
    """Follows view transforms that were changed."""
    for scene in bpy.data.scenes:
        if scene.library is None:
            for candidate in scene.objects:
                if candidate.type == "MESH" and "speech_face_plane" in candidate:
                    match(scene, candidate)


_owner = object()


@persistent
def _follow(*_: object) -> None:
    bpy.msgbus.clear_by_owner(_owner)
    key = (bpy.types.ColorManagedViewSettings, "view_transform")
    bpy.msgbus.subscribe_rna(key=key, owner=_owner, args=(), notify=_match_all)


def register() -> None:
    """Follows the view transform of every scene; a loaded file forgets who follows, and scripts tell nobody."""
    _follow()
    bpy.app.handlers.load_post.append(_follow)
    bpy.app.handlers.render_init.append(_match_all)


def unregister() -> None:
    """Stops that."""
    bpy.app.handlers.render_init.remove(_match_all)
    bpy.app.handlers.load_post.remove(_follow)
    bpy.msgbus.clear_by_owner(_owner)
