# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Writes an animated character of the open file as glTF or FBX, and proves it by importing what was written.

The open file is changed and then left: call it in a Blender of its own, and never save afterwards.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import addon_utils
import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from .._shared import errors
from ..made_file import making

TOLERANCE = 1e-3  # of weights, and of a bone's motion in metres and in cosines
_FRAME_TOLERANCE = 0.01  # of a frame
FORMATS = {".glb": ("io_scene_gltf2", "glTF"), ".fbx": ("io_scene_fbx", "FBX")}


@dataclass(frozen=True)
class Motion:
    """What a character does in some frames.

    Attributes:
        weights: by mesh (the data's name, which importers keep) and shape key, f32 (T,), without basis and muted keys.
        bones: by armature with a skin and bone, f64 (T, 4, 4): from where it is in the first frame to where it is.
    """

    weights: dict[tuple[str, str], NDArray[np.float32]]
    bones: dict[tuple[str, str], NDArray[np.float64]]

    def is_still(self) -> bool:
        """Whether nothing changes from frame to frame."""
        return all(not np.ptp(values, axis=0).any() for values in (*self.weights.values(), *self.bones.values()))


@dataclass(frozen=True)
class Written:
    """What was written and proved.

    Attributes:
        frame_count: frames.
        key_count: shape keys.
        bone_count: bones.
        largest_error: of a weight that was read back.
        set_aside: how a file of others is called now that had the name; None if there was none.
    """

    frame_count: int
    key_count: int
    bone_count: int
    largest_error: float
    set_aside: Path | None


def hand_off(name: str, out: Path, frames: tuple[int, int] | None = None) -> Written:
    """Exports a character with all its meshes: shape keys and bones as they are evaluated on each frame of the scene.

    Args:
        name: of a mesh or an armature of the open file.
        out: a .glb or .fbx file.
        frames: first and last frame; the scene's own if None.

    Raises:
        SpeechFaceError: there is no such character, it does not move, or what was written differs when imported.
        OSError: the file cannot be written.
    """
    scene = bpy.context.scene
    exporter = FORMATS.get(out.suffix.lower())
    if exporter is None:
        raise errors.ValueRangeError(f"{out.name} ends with neither {' nor '.join(FORMATS)}; choose one of these")
    if addon_utils.enable(exporter[0]) is None:
        raise errors.ValueRangeError(
            f"this Blender has no {exporter[1]} exporter ({exporter[0]}); take a Blender from blender.org"
        )
    first, last = frames or (scene.frame_start, scene.frame_end)
    if not 0 <= first <= last:
        raise errors.ValueRangeError(f"frames {first} to {last} cannot be exported; begin at 0 or later")
    objects = family(name)
    _reveal(objects)
    scene.frame_start, scene.frame_end = first, last
    numbers = range(first, last + 1)
    motion = read_motion(objects, numbers)
    if motion.is_still():
        raise errors.ValueRangeError(f"{name!r} does not move between frames {first} and {last}; {_advice(objects)}")
    _bake(objects, motion, first)
    rate, base = scene.render.fps, scene.render.fps_base
    out.parent.mkdir(parents=True, exist_ok=True)
    with making(out.absolute()) as made:
        if out.suffix.lower() == ".fbx":
            _write_fbx(made.temporary)
            largest = _prove(made.temporary, out.name, motion, numbers, rate / base, _read_fbx)
        else:
            used = _write_gltf(made.temporary, out.name, len(numbers), rate / base)
            largest = _prove(
                made.temporary, out.name, motion, range(len(numbers)), rate / base, lambda path: _read_gltf(path, *used)
            )
    return Written(len(numbers), len(motion.weights), len(motion.bones), largest, made.set_aside)


def family(name: str) -> list[bpy.types.Object]:
    """The objects of a character: its armature and the meshes on it, or a mesh and those below it.

    Meshes that are not rendered are left out, unless one is asked for by its name.

    Raises:
        ValueRangeError: there is no such object, or nothing of it can move.
    """
    found = bpy.context.scene.objects.get(name)
    if found is None or found.type not in ("MESH", "ARMATURE"):
        others = sorted(repr(o.name) for o in bpy.context.scene.objects if o.type in ("MESH", "ARMATURE"))
        listed = ", ".join(others[:10]) + (" ..." if len(others) > 10 else "")
        raise errors.ValueRangeError(
            f"the scene has no mesh or armature {name!r}; it has {listed}" if others else "the scene has no mesh"
        )
    root = (found.find_armature() if found.type == "MESH" else found) or found
    below = [root, *root.children_recursive]
    on_it = [o for o in bpy.context.scene.objects if o.type == "MESH" and o.find_armature() == root]
    objects = [
        o
        for o in dict.fromkeys([*below, *on_it])
        if o.type == "ARMATURE" or (o.type == "MESH" and (o == found or not o.hide_render))
    ]
    if not any(o.type == "ARMATURE" or _keys(o) for o in objects):
        raise errors.ValueRangeError(f"{name!r} has neither shape keys nor bones, so nothing of it can move")
    return objects


def _reveal(objects: list[bpy.types.Object]) -> None:
    """Shows objects and selects them alone: what is hidden is not evaluated, and what cannot be selected not exported.

    Raises:
        ValueRangeError: one is in a collection that is switched off.
    """
    scene, layer = bpy.context.scene, bpy.context.view_layer
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for item in scene.objects:
        if item.name in layer.objects:
            item.select_set(False)
    for item in objects:
        if item.name not in layer.objects:
            raise errors.ValueRangeError(f"{item.name!r} is in a collection that is switched off; switch it on")
        if item.name not in scene.collection.objects:  # which cannot be hidden, as those of the user can
            scene.collection.objects.link(item)
        item.hide_viewport = item.hide_select = False
        item.hide_set(False)
        item.select_set(True)
    layer.objects.active = objects[0]


def _advice(objects: list[bpy.types.Object]) -> str:
    """What may make objects move that are still."""
    animated = [o.animation_data for o in objects] + [
        keys[0].id_data.animation_data for o in objects if (keys := _keys(o))
    ]
    muted = [track.name for data in animated if data for track in data.nla_tracks if track.mute]
    if muted:
        return f"switch its NLA track {muted[0]!r} on, or choose other frames"
    return "bake its speech first, or choose other frames"


def read_motion(objects: list[bpy.types.Object], frames: Iterable[float]) -> Motion:
    """Weights of all meshes, and bones of armatures with a skin, as they are evaluated at frames, whole or not.

    Raises:
        ValueRangeError: a mesh has absolute shape keys.
    """
    keys = {(o.data.name, key.name): key for o in objects for key in _keys(o)}
    skinned = {o.find_armature() for o in objects if o.type == "MESH" and o.vertex_groups} - {None}
    bones = {(o.name, bone.name): o for o in skinned for bone in o.pose.bones}
    weights = {at: [] for at in keys}
    places = {at: [] for at in bones}
    for frame in frames:
        whole = math.floor(frame)
        bpy.context.scene.frame_set(whole, subframe=frame - whole)
        graph = bpy.context.evaluated_depsgraph_get()
        for at, key in keys.items():
            weights[at].append(key.value)
        for at, armature in bones.items():
            evaluated = armature.evaluated_get(graph)
            places[at].append(np.array(evaluated.matrix_world @ evaluated.pose.bones[at[1]].matrix))
    moved = {at: np.array(matrices) @ np.linalg.inv(matrices[0]) for at, matrices in places.items()}
    return Motion({at: np.array(values, np.float32) for at, values in weights.items()}, moved)


def _last_key() -> float:
    """The frame of the last key in the open file."""
    return max((action.frame_range[1] for action in bpy.data.actions), default=0.0)


def _keys(item: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """The shape keys that exporters write."""
    keys = item.data.shape_keys if item.type == "MESH" else None
    if keys is None:
        return []
    if not keys.use_relative:
        raise errors.ValueRangeError(
            f"the shape keys of {item.name!r} are absolute, and engines know relative ones alone; switch on Relative"
        )
    return [key for key in keys.key_blocks[1:] if not key.mute]


def _bake(objects: list[bpy.types.Object], motion: Motion, first: int) -> None:
    """Replaces what animates and drives shape keys by one linear key on each frame; muted ones are put to 0."""
    for item in objects:
        keys = _keys(item)
        block = item.data.shape_keys if keys else None
        if block is None or block.library is not None or block.override_library is not None:
            continue  # exporters read its evaluated values
        block.animation_data_clear()
        for key in block.key_blocks:
            if key.mute:  # FBX has them, glTF has not
                key.value = 0.0
        for key in keys:
            values = motion.weights[item.data.name, key.name]
            key.keyframe_insert("value", frame=first)
            curve = compat.fcurves(block).find(key.path_from_id("value"))
            curve.keyframe_points.add(len(values) - 1)
            points = np.stack([np.arange(first, first + len(values)), values], axis=1)
            curve.keyframe_points.foreach_set("co", points.astype(np.float32).ravel())
            for point in curve.keyframe_points:
                point.interpolation = "LINEAR"
            curve.update()


def _write_gltf(path: Path, name: str, frame_count: int, rate: float) -> tuple[int, float]:
    """Writes a .glb whose seconds are right, and returns the `fps` and `fps_base` with which they became so.

    Blender's exporter takes fps * fps_base for the rate, where the rate is fps / fps_base.
    """
    render, seconds = bpy.context.scene.render, 0.0
    for base in dict.fromkeys((render.fps_base, 1.0 / render.fps_base)):
        render.fps_base = base
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_animation_mode="SCENE",
            export_anim_scene_split_object=False,
            export_anim_slide_to_zero=True,
            export_force_sampling=True,
            export_frame_step=1,
            export_optimize_animation_size=False,
            export_morph=True,
            export_morph_animation=True,
            export_apply=False,
            export_extras=True,
        )
        seconds = glb_seconds(path)
        if abs(seconds * rate - (frame_count - 1)) < _FRAME_TOLERANCE:
            return render.fps, base
    raise errors.SpeechFaceError(
        f"Blender wrote {name} with {seconds:.3f} s, and {frame_count} frames at {rate:g} per second take "
        f"{(frame_count - 1) / rate:.3f} s; try another version of Blender, or FBX"
    )


def glb_seconds(path: Path) -> float:
    """How long the animations of a .glb file last, as the file itself says."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    inputs = {sampler["input"] for animation in document.get("animations", []) for sampler in animation["samplers"]}
    bounds = [document["accessors"][number] for number in inputs]
    return max((b["max"][0] for b in bounds), default=0.0) - min((b["min"][0] for b in bounds), default=0.0)


def _write_fbx(path: Path) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"ARMATURE", "MESH", "EMPTY"},
        use_mesh_modifiers=False,  # applied modifiers would cost the shape keys
        mesh_smooth_type="FACE",
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,
    )


def _read_gltf(path: Path, fps: int, fps_base: float) -> None:
    render = bpy.context.scene.render
    render.fps, render.fps_base = fps, fps_base
    bpy.ops.import_scene.gltf(filepath=str(path), disable_bone_shape=True)


def _read_fbx(path: Path) -> None:
    bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0, ignore_leaf_bones=False)


def _prove(path: Path, name: str, wanted: Motion, frames: range, rate: float, read: Callable[[Path], None]) -> float:
    """Imports a file into an empty scene and compares; returns the largest error of a weight.

    Raises:
        SpeechFaceError: rate, weights or bones differ.
    """
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    for module, _ in FORMATS.values():
        addon_utils.enable(module)
    read(path)
    render = bpy.context.scene.render
    if path.suffix.lower() == ".fbx" and abs(render.fps / render.fps_base / rate - 1) > 1e-4:
        raise errors.SpeechFaceError(
            f"{name} says {render.fps / render.fps_base:g} frames per second, and the scene has {rate:g}; try glTF"
        )
    # Blender's FBX importer places keys by `fps` alone, so a rate of 24 / 1.001 stretches its frames by 1.001.
    last = _last_key()
    stretch = min((1.0, render.fps_base), key=lambda factor: abs(last - frames[-1] * factor))
    if abs(last - frames[-1] * stretch) > _FRAME_TOLERANCE:
        raise errors.SpeechFaceError(
            f"{name} ends on frame {last:.2f} when it is imported, and not on {frames[-1]}; try the other format"
        )
    for block in bpy.data.shape_keys:
        for key in block.key_blocks:  # importers leave sliders at 0 to 1, which cut off what goes beyond
            key.slider_min, key.slider_max = -10.0, 10.0
    found = read_motion(list(bpy.context.scene.objects), [frame * stretch for frame in frames])
    lost = [f"{key!r} of {item!r}" for item, key in wanted.weights if (item, key) not in found.weights]
    lost += [f"{bone!r} of {item!r}" for item, bone in wanted.bones if (item, bone) not in found.bones]
    if lost:
        raise errors.SpeechFaceError(
            f"{name} has lost {lost[0]} and {len(lost) - 1} more; give the objects simple names"
        )
    largest = max((float(np.abs(found.weights[at] - wanted.weights[at]).max()) for at in wanted.weights), default=0.0)
    turned = max((float(np.abs(found.bones[at] - wanted.bones[at]).max()) for at in wanted.bones), default=0.0)
    if largest > TOLERANCE or turned > TOLERANCE:
        raise errors.SpeechFaceError(
            f"{name} differs by {largest:.4f} in a weight and {turned:.4f} in a bone when it is imported again; "
            "remove scale from the armature, or try the other format"
        )
    return largest
