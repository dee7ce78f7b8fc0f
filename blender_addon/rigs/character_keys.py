# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportIndexIssue=false
"""Writes the channels of a rig into the shape keys and bones of a character, and looks at what comes of them.

Shape keys of one name on several meshes get the same curve. A bone's channel is its transform from rest, in the bone's
own axes and in the rotation mode that the bone has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import words
from .._shared import errors, rig_mapping
from ..keys import key_places, keyframes, saved_keys
from ..keys.key_places import Reference
from ..keys.keyframes import Curve, Manner, Request, Written
from ..slices import Slices, exhaust
from .character import Character, Skipped, make_keyable

_AXES = "xyz"
_TOLERANCE = 1e-3  # between a key and what Blender makes of it


@dataclass(frozen=True)
class Track:
    """The curves of one datablock.

    Attributes:
        owner: shape keys, or an armature object.
        name: what it is called in sentences.
        curves: K animated numbers.
        values: (T, K).
        channels: name of the channel of each curve.
    """

    owner: bpy.types.ID
    name: str
    curves: tuple[Curve, ...]
    values: NDArray[np.float64]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What was written into a character.

    Attributes:
        frame_count: frames on which there are keys that will be saved.
        channel_count: channels that have been keyed.
        mesh_count: meshes that follow.
        moving_count: channels that are not the same in all frames that were looked at, as Blender evaluates them.
        sentences: what the user should know.
    """

    frame_count: int
    channel_count: int
    mesh_count: int
    moving_count: int
    sentences: tuple[str, ...]


def tracks(
    character: Character, channels: Sequence[rig_mapping.Channel], weights: NDArray
) -> tuple[list[Track], list[Skipped]]:
    """The curves that channels (C) with weights (T, C) make, and channels that the character cannot move."""
    made, skipped = [], []
    weights = np.asarray(weights, np.float64)
    moved: set[str] = set()
    left = {name: item.why for item in character.skipped for name in [item.name.rpartition(" of ")[0]]}
    keyed = [
        (number, channel.name)
        for number, channel in enumerate(channels)
        if channel.bone is None and not channel.is_muted
    ]
    for part in character.parts:
        own = [(number, name) for number, name in keyed if name in part.names]
        if own:
            moved |= {name for _, name in own}
            curves = tuple(Curve(_value_path(name), 0) for _, name in own)
            columns = weights[:, [number for number, _ in own]]
            made.append(Track(part.key, part.object.name, curves, columns, tuple(name for _, name in own)))
    unknown = words.fill("no shape key has this name")
    skipped += [Skipped(name, left.get(name, unknown)) for _, name in keyed if name not in moved]
    posed = [(number, channel) for number, channel in enumerate(channels) if channel.bone and not channel.is_muted]
    if posed:
        curves, columns, names, unposed = _pose(character, posed, weights)
        skipped += unposed
        if curves:
            made.append(Track(character.armature, character.armature.name, curves, columns, names))
    return made, skipped


def check(character: Character, bake: str, *, is_layer: bool = False) -> None:
    """Checks, before a motion is made for it, that keys of a bake on a character will be saved.

    Raises:
        SpeechFaceError: they would not be; the sentence says the way out.
    """
    for part in character.parts:
        saved_keys.check(part.key, bake, is_layer=is_layer, gets_override=not part.key.is_editable)
    if character.armature is not None:
        saved_keys.check(character.armature, bake, is_layer=is_layer)


def write(
    scene: bpy.types.Scene,
    character: Character,
    channels: Sequence[rig_mapping.Channel],
    weights: NDArray,
    bake: str,
    frames: NDArray[np.int64],
    manner: Manner,
) -> Result:
    """Keys weights (T, C) on whole frames (T,) and counts, in the evaluated scene, what moves."""
    return exhaust(write_steps(scene, character, channels, weights, bake, frames, manner))


def write_steps(
    scene: bpy.types.Scene,
    character: Character,
    channels: Sequence[rig_mapping.Channel],
    weights: NDArray,
    bake: str,
    frames: NDArray[np.int64],
    manner: Manner,
) -> Slices[Result]:
    """The same in slices; scene and character are looked at before the first of them alone.

    A linked mesh gets its library override before the first slice.

    Raises:
        SpeechFaceError: keys would not be saved, a datablock is gone, or something was undone meanwhile.
    """
    saved_keys.check_scene(scene)
    sentences = [
        words.fill("{0} was linked; its mesh has a library override now", part.object.name)
        for part in character.parts
        if make_keyable(part)
    ]
    made, skipped = tracks(character, channels, weights)
    if skipped:
        sentences.append(_of_skipped(skipped))
    writing = keyframes.write_steps(
        [Request(track.owner, bake, frames, track.curves, track.values, track.name, manner) for track in made]
    )
    owners = [Reference.to(track.owner) for track in made]
    return _steps(writing, scene.name, made, owners, bake, frames, sentences)


def _steps(
    writing: Slices[list[Written]],
    scene_name: str,
    made: list[Track],
    owners: list[Reference],
    bake: str,
    frames: NDArray[np.int64],
    sentences: list[str],
) -> Slices[Result]:
    written = yield from writing
    scene = bpy.data.scenes.get((scene_name, None))
    if scene is None:
        raise errors.SpeechFaceError(f"the scene {scene_name} is gone; generate the face again")
    here = [replace(track, owner=owner.find()) for track, owner in zip(made, owners, strict=True)]
    for track, each in zip(made, written, strict=True):
        sentences += each.sentences(track.name)
    is_keyed = np.zeros(len(frames), bool)
    for track in here:
        found = saved_keys.count(track.owner, bake, frames, track.curves)
        is_keyed |= found.is_keyed
        sentences += [found.reason] if found.reason else []
    moving, differing = _look(scene, here, written, frames)
    meshes = sum(track.owner.id_type == "KEY" for track in here)
    names = {name for track in made for name in track.channels}
    return Result(int(is_keyed.sum()), len(names), meshes, moving, (*sentences, *differing))


def put(track: Track, row: int = 0) -> None:
    """Sets the properties of a track to one row of its values, without a key."""
    for curve, value in zip(track.curves, track.values[row], strict=True):
        assign(track.owner, curve, value)


def assign(owner: bpy.types.ID, curve: Curve, value: float) -> None:
    """Sets one animated number."""
    holder, _, name = curve.data_path.rpartition(".")
    struct = owner.path_resolve(holder)
    if struct.bl_rna.properties[name].is_array:
        getattr(struct, name)[curve.index] = value
    else:
        setattr(struct, name, value)


def current(owner: bpy.types.ID, curve: Curve) -> float:
    """One animated number as it is."""
    value = key_places.current(owner, curve.path)
    if value is None:
        raise errors.SpeechFaceError(f"{owner.name} has no {curve.data_path}")
    return value


def _value_path(name: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def _pose(
    character: Character, posed: Sequence[tuple[int, rig_mapping.Channel]], weights: NDArray[np.float64]
) -> tuple[tuple[Curve, ...], NDArray[np.float64], tuple[str, ...], list[Skipped]]:
    """The curves of bones, their values (T, K), the channel of each, and the channels that cannot be posed."""
    curves: list[Curve] = []
    columns: list[NDArray[np.float64]] = []
    names: list[str] = []
    skipped = []
    turned: dict[str, dict[int, tuple[NDArray[np.float64], str]]] = {}
    for number, channel in posed:
        target = channel.bone
        bone = character.armature.pose.bones.get(target.bone) if character.armature is not None else None
        axis = _AXES.index(target.transform[-1])
        if bone is None:
            skipped.append(Skipped(channel.name, words.fill("there is no bone {0}", target.bone)))
            continue
        if why := _untouchable(character.armature, bone, target.transform.partition("_")[0], axis):
            skipped.append(Skipped(channel.name, why))
            continue
        moved = np.clip(weights[:, number] * target.amount, target.least, target.most)
        if target.unit == "degrees":
            turned.setdefault(target.bone, {})[axis] = (np.radians(moved), channel.name)
            continue
        scale = max(float(np.abs(np.array(character.armature.matrix_world.to_scale())).mean()), 1e-9)
        moved *= bone.length if target.unit == "bone_lengths" else 1 / scale
        curves.append(Curve(f"{bone.path_from_id()}.location", axis, bone.name))
        columns.append(moved)
        names.append(channel.name)
    for name, angles in turned.items():
        bone = character.armature.pose.bones[name]
        channel = next(iter(angles.values()))[1]
        for curve, column, axis in _turn(bone, {axis: angle for axis, (angle, _) in angles.items()}, len(weights)):
            curves.append(curve)
            columns.append(column)
            names.append(angles[axis][1] if axis in angles else channel)
    return tuple(curves), np.stack(columns, axis=1) if columns else np.empty((len(weights), 0)), tuple(names), skipped


def _turn(
    bone: bpy.types.PoseBone, angles: dict[int, NDArray[np.float64]], count: int
) -> Iterable[tuple[Curve, NDArray[np.float64], int]]:
    """Curves and values of a rotation in the mode of the bone, with the axis that each is of."""
    path, mode = bone.path_from_id(), bone.rotation_mode
    if mode not in ("QUATERNION", "AXIS_ANGLE"):
        for axis, angle in angles.items():
            yield Curve(f"{path}.rotation_euler", axis, bone.name), angle, axis
        return
    turns = quaternions(np.stack([angles.get(axis, np.zeros(count)) for axis in range(3)], axis=1))
    name = "rotation_quaternion"
    if mode == "AXIS_ANGLE":
        name, turns = "rotation_axis_angle", _axis_angles(turns)
    for index, column in enumerate(turns.T):
        yield Curve(f"{path}.{name}", index, bone.name), column, index - 1


def quaternions(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit quaternions w, x, y, z (T, 4) of turns about x, then y, then z by angles (T, 3) in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles / 2).T, np.sin(angles / 2).T
    return np.stack(
        [
            cx * cy * cz + sx * sy * sz,
            sx * cy * cz - cx * sy * sz,
            cx * sy * cz + sx * cy * sz,
            cx * cy * sz - sx * sy * cz,
        ],
        axis=1,
    )


def _axis_angles(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle and axis (T, 4) of unit quaternions (T, 4); the axis is y where nothing turns, as in Blender."""
    sine = np.linalg.norm(turns[:, 1:], axis=1, keepdims=True)
    axis = np.where(sine > 1e-9, turns[:, 1:] / np.maximum(sine, 1e-9), (0.0, 1.0, 0.0))
    return np.hstack([2 * np.arctan2(sine, turns[:, :1]), axis])


def _untouchable(armature: bpy.types.Object, bone: bpy.types.PoseBone, transform: str, axis: int) -> str:
    """Why a transform of a bone is not to be keyed; empty if it may be."""
    is_turn = transform == "rotation"
    if (bone.lock_rotation if is_turn else bone.lock_location)[axis]:
        return words.fill(
            "rotation {0} of the bone {1} is locked" if is_turn else "location {0} of the bone {1} is locked",
            _AXES[axis],
            bone.name,
        )
    if not is_turn and bone.parent is not None and bone.bone.use_connect:
        return words.fill("the bone {0} is connected to its parent and cannot be moved", bone.name)
    start = f"{bone.path_from_id()}.{transform}"
    drivers = armature.animation_data.drivers if armature.animation_data is not None else ()
    is_driven = any(
        driver.data_path.startswith(start) and (is_turn or driver.array_index == axis) for driver in drivers
    )
    if not is_driven:
        return ""
    return words.fill(
        "a driver moves the rotation of the bone {0}" if is_turn else "a driver moves the location of the bone {0}",
        bone.name,
    )


def _of_skipped(skipped: list[Skipped]) -> str:
    first = skipped[0]
    if len(skipped) > 1:
        return words.fill(
            'the channel "{0}" moves nothing ({1}), and {2} more', first.name, first.why, len(skipped) - 1
        )
    return words.fill('the channel "{0}" moves nothing ({1})', first.name, first.why)


def _look(
    scene: bpy.types.Scene,
    made: Sequence[Track],
    written: Sequence[Written],
    frames: NDArray[np.int64],
) -> tuple[int, list[str]]:
    """Evaluates some frames: how many channels move in them, and where a value is not what was keyed."""
    if not made:
        return 0, []
    loudest = int(np.argmax(np.sum([np.abs(track.values).sum(axis=1) for track in made], axis=0)))
    rows = sorted({*saved_keys.some_rows(len(frames)), loudest})
    found = saved_keys.evaluated(scene, [(track.owner, track.curves) for track in made], frames[rows])
    moving: set[str] = set()
    sentences = []
    for track, seen, each in zip(made, found, written, strict=True):
        moving |= {name for name, spread in zip(track.channels, np.ptp(seen, axis=0), strict=True) if spread > 1e-6}
        keyed, is_expected = each.shape.values[rows], (each.shape.is_key & ~each.is_kept)[rows]
        wrong = (np.abs(seen - keyed) > _TOLERANCE) & is_expected & each.is_alone
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            sentences.append(
                words.fill(
                    "{0} of {1} is {2:.3g} on frame {3}, where {4:.3g} was keyed: its limits, a driver or another "
                    "action change it (channels that differ: {5})",
                    *(track.channels[column], track.name, seen[row, column], frames[rows[row]], keyed[row, column]),
                    int(wrong.any(axis=0).sum()),
                )
            )
    return len(moving), sentences
