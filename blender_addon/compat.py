# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Hides the differences between Blender 4.5 and 5.2.

Each function names the version that changed something; the rest of the add-on does not ask for the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from .keys import key_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose strips the sequencer shows; since 5.0 it may differ from the active scene."""
    return getattr(context, "sequencer_scene", None) or context.scene


def sound_strips(scene: bpy.types.Scene) -> Iterator[bpy.types.SoundStrip]:
    """Every sound strip of a scene, also those inside meta strips."""
    editor = scene.sequence_editor
    if editor is not None:
        yield from (strip for strip in editor.strips_all if isinstance(strip, bpy.types.SoundStrip))


def content_start(strip: bpy.types.Strip) -> float:
    """Scene frame at which the untrimmed strip begins; `content_start` since 5.2, `frame_start` before."""
    return float(strip.content_start if hasattr(strip, "content_start") else strip.frame_start)


def handles(strip: bpy.types.Strip) -> tuple[float, float]:
    """First visible frame, and the frame after the last; `left_handle` since 5.2, `frame_final_start` before."""
    if hasattr(strip, "left_handle"):
        return float(strip.left_handle), float(strip.right_handle)
    return float(strip.frame_final_start), float(strip.frame_final_end)


def content_trim(strip: bpy.types.Strip) -> float:
    """Frames that a hard split removed before the untrimmed strip; `content_trim_start` since 5.2."""
    return float(strip.content_trim_start if hasattr(strip, "content_trim_start") else strip.animation_offset_start)


def new_fcurve(bag: bpy.types.ActionChannelbag, data_path: str, index: int, group: str) -> bpy.types.FCurve:
    """Adds an F-curve to a named group; `new` takes the group's name since 5.0."""
    if bpy.app.version >= (5, 0, 0):
        return bag.fcurves.new(data_path, index=index, group_name=group)
    fcurve = bag.fcurves.new(data_path, index=index)
    fcurve.group = bag.groups.get(group) or bag.groups.new(group)
    return fcurve


def can_copy_fcurves(fcurves: Iterable[bpy.types.FCurve]) -> bool:
    """Whether `copied_fcurve` copies all of them; Blender does it since 5.0, and we do it without modifiers before."""
    return bpy.app.version >= (5, 0, 0) or not any(len(fcurve.modifiers) for fcurve in fcurves)


def copied_fcurve(
    bag: bpy.types.ActionChannelbag, fcurve: bpy.types.FCurve, *, with_keys: bool = True
) -> bpy.types.FCurve:
    """Adds a copy of an F-curve of another action, group included; Blender can do that since 5.0."""
    group = fcurve.group
    if bpy.app.version >= (5, 0, 0) and (with_keys or len(fcurve.modifiers)):
        made = bag.fcurves.new_from_fcurve(fcurve)
    else:
        made = bag.fcurves.new(fcurve.data_path, index=fcurve.array_index)
        for name in ("extrapolation", "mute", "lock", "hide", "color_mode", "color", "auto_smoothing"):
            setattr(made, name, getattr(fcurve, name))
        if with_keys:
            key_fields.put(made, key_fields.read(fcurve), key_fields.read(None))
    if group is not None:
        made.group = bag.groups.get(group.name) or bag.groups.new(group.name)
    return made


def new_node_material(name: str) -> bpy.types.Material:
    """A material with nodes; since 5.0 every material has them."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    return material


def has_event_loop() -> bool:
    """Whether modal operators and timers run: in a window, not in `blender -b` nor the module from PyPI."""
    return not bpy.app.background


def evaluated(scene: bpy.types.Scene, datablock: bpy.types.ID) -> bpy.types.ID:
    """A datablock as the scene's current frame makes it; itself in a scene that was never shown."""
    depsgraph = scene.view_layers[0].depsgraph
    return datablock if depsgraph is None else datablock.evaluated_get(depsgraph)


def evaluated_points(context: bpy.types.Context, mesh: bpy.types.Object) -> NDArray[np.float32]:
    """The vertices of a mesh with all that moves it, f32 (V, 3), in its own space."""
    context.view_layer.update()
    vertices = mesh.evaluated_get(context.evaluated_depsgraph_get()).data.vertices
    points = np.empty(len(vertices) * 3, np.float32)
    vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def shown_vertices(mesh: bpy.types.Object, depsgraph: bpy.types.Depsgraph, count: int) -> bpy.types.MeshVertices:
    """The vertices of a mesh with all that moves them if these are `count`, else as they lie without it.

    Modifiers make others, and Edit Mode has none.
    """
    seen = mesh.evaluated_get(depsgraph).data.vertices
    return seen if len(seen) == count else mesh.data.vertices


def fcurves(animated: bpy.types.ID) -> bpy.types.ActionChannelbagFCurves:
    """The F-curves of what is animated by its own action; an action has layers since 4.4."""
    animation = animated.animation_data
    return animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves
