# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads a character from the object that an artist has picked: its meshes, shape keys and bones.

The meshes are the picked one, its children, those that its armature deforms or that are parented to it, and siblings
that lie within its bounds: teeth, tongue, lashes, beard. Shape keys of one name move together on all of them. What is
never moved is skipped, and the reason is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from .. import words
from .._shared import errors
from . import landmark_rig

# "corr", "fix" and "combo" standing alone, and DAZ's and others' names of shapes that correct joints or mixtures.
_CORRECTIVE = re.compile(r"(?:^|[^a-z])(?:corr(?:ective)?s?|fix|combo|combination)(?:[^a-z]|$)|(?-i:^p?[JMC]CM)", re.I)
_JOINERS = re.compile(r"[_+&*.\-\s]+|(?<=[a-z])X(?=[a-z])")
_STILL = 1e-6  # of the mesh's size: a key whose points move less moves nothing


@dataclass(frozen=True)
class Skipped:
    """A shape key or object that is not moved.

    Attributes:
        name: of the shape key, bone or object.
        why: the reason, for people.
    """

    name: str
    why: str


@dataclass(frozen=True)
class Part:
    """One mesh of a character.

    Attributes:
        object: of the mesh.
        names: of its shape keys that can be moved.
    """

    object: bpy.types.Object
    names: tuple[str, ...]

    @property
    def key(self) -> bpy.types.Key:
        """The shape keys' datablock."""
        return self.object.data.shape_keys  # pyright: ignore[reportReturnType] (a part has some)


@dataclass(frozen=True)
class Character:
    """What can be moved of a character. It holds datablocks: read it again rather than keep it.

    Attributes:
        object: that was picked.
        parts: meshes with shape keys, the picked one or the one with the most keys first.
        meshes: all its meshes.
        armature: that deforms them; None if there is none that can be keyed.
        skipped: what is not moved.
    """

    object: bpy.types.Object
    parts: tuple[Part, ...]
    meshes: tuple[bpy.types.Object, ...]
    armature: bpy.types.Object | None
    skipped: tuple[Skipped, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all shape keys that can be moved, each once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.names))

    @property
    def bones(self) -> tuple[str, ...]:
        """The names of the armature's bones."""
        return tuple(self.armature.data.bones.keys()) if self.armature is not None else ()


def is_pickable(candidate: bpy.types.Object) -> bool:
    """Whether an object may be a character: a mesh or an armature other than ours."""
    return candidate.type in ("MESH", "ARMATURE") and not landmark_rig.is_rig(candidate)


def read(picked: bpy.types.Object) -> Character:
    """Reads the character of an object.

    Raises:
        SpeechFaceError: it is no mesh or armature, is linked without an override, or has nothing that can be moved.
    """
    if not is_pickable(picked):
        raise errors.SpeechFaceError(
            f"{picked.name} is {_kind(picked)}; choose the mesh of the head, or the armature that moves it"
        )
    _check_editable(picked)
    armature = picked if picked.type == "ARMATURE" else _armature_of(picked)
    meshes, skipped = _meshes(picked, armature)
    parts = []
    for mesh in meshes:
        if mesh.data.shape_keys is None:
            continue
        _check_editable(mesh)
        names, left = _usable_keys(mesh)
        skipped += left
        if names:
            parts.append(Part(mesh, names))
    parts.sort(key=lambda part: (part.object != picked, -len(part.names)))
    if armature is not None and armature != picked and not armature.is_editable:
        skipped.append(Skipped(armature.name, words.fill("linked, so its bones are not moved")))
        armature = None
    found = Character(picked, tuple(parts), tuple(meshes), armature, tuple(skipped))
    if not found.names and not found.bones:
        raise errors.SpeechFaceError(_nothing(picked, meshes, skipped))
    return found


def make_keyable(part: Part) -> bool:
    """Makes an override of a linked mesh, without which its shape keys cannot be keyed; returns whether it did.

    Blender's own Library Override > Make leaves the mesh of an object linked.
    """
    if part.key.is_editable:
        return False
    part.object.data.override_create(remap_local_usages=True)
    return True


def displacements_of(mesh: bpy.types.Object, names: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """How far each vertex is moved by each shape key at 1, f32 (V, 3), in the mesh's own space.

    A key is measured from the key that it is relative to, as Blender does, and so is one whose basis was edited.
    """
    blocks = mesh.data.shape_keys.key_blocks
    bases: dict[str, NDArray[np.float32]] = {}
    for name in names:
        block = blocks[name]
        basis = block.relative_key.name
        if basis not in bases:
            bases[basis] = coordinates(blocks[basis])
        moved = coordinates(block) - bases[basis]
        if block.vertex_group:
            moved *= _group_weights(mesh, block.vertex_group)[:, None]
        yield name, moved


def coordinates(block: bpy.types.ShapeKey) -> NDArray[np.float32]:
    """The points of a shape key, f32 (V, 3), in the mesh's own space."""
    numbers = np.empty(len(block.points) * 3, np.float32)
    block.points.foreach_get("co", numbers)
    return numbers.reshape(-1, 3)


def moving_names(character: Character, names: Iterable[str]) -> set[str]:
    """Those of the shape keys that move a vertex of any mesh."""
    wanted, moving = set(names), set()
    for part in character.parts:
        least = _STILL * _extent(part.key.reference_key)
        for name, moved in displacements_of(part.object, [n for n in part.names if n in wanted - moving]):
            if np.abs(moved).max(initial=0.0) > least:
                moving.add(name)
    return moving


def _extent(block: bpy.types.ShapeKey) -> float:
    points = coordinates(block)
    return float(np.ptp(points, axis=0).max()) if len(points) else 0.0


def _group_weights(mesh: bpy.types.Object, name: str) -> NDArray[np.float32]:
    weights = np.zeros(len(mesh.data.vertices), np.float32)
    group = mesh.vertex_groups.get(name)
    if group is None:  # Blender moves all vertices then
        return np.ones_like(weights)
    for vertex in mesh.data.vertices:
        for entry in vertex.groups:
            if entry.group == group.index:
                weights[vertex.index] = entry.weight
    return weights


def _armature_of(mesh: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that deforms a mesh, or that it or a parent is parented to."""
    for modifier in mesh.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            return modifier.object
    parent = mesh.parent
    while parent is not None:
        if parent.type == "ARMATURE":
            return parent
        parent = parent.parent
    return None


def _meshes(
    picked: bpy.types.Object, armature: bpy.types.Object | None
) -> tuple[list[bpy.types.Object], list[Skipped]]:
    """All meshes of the character, and what lies beside it without being of it."""
    found: dict[bpy.types.Object, None] = {}
    if picked.type == "MESH":
        found[picked] = None
    holders = [picked] if armature is None or armature == picked else [picked, armature]
    for holder in holders:
        found |= {child: None for child in holder.children_recursive if child.type == "MESH"}
    if armature is not None:
        scene_objects = armature.users_scene[0].objects if armature.users_scene else bpy.data.objects
        for other in scene_objects:
            if other.type == "MESH" and other not in found and _armature_of(other) == armature:
                found[other] = None
    skipped = []
    if picked.type == "MESH" and picked.parent is not None:
        low, high = _bounds(picked)
        for sibling in picked.parent.children:
            if sibling.type != "MESH" or sibling in found or sibling.data.shape_keys is None:
                continue
            its_low, its_high = _bounds(sibling)
            if (its_low <= high).all() and (its_high >= low).all():
                found[sibling] = None
            else:
                skipped.append(Skipped(sibling.name, words.fill("lies apart from {0}", picked.name)))
    return list(found), skipped


def _bounds(mesh: bpy.types.Object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = np.array([mesh.matrix_world @ Vector(corner) for corner in mesh.bound_box])
    return corners.min(axis=0), corners.max(axis=0)


def _usable_keys(mesh: bpy.types.Object) -> tuple[tuple[str, ...], list[Skipped]]:
    """The shape keys of a mesh that may be moved, and the others with the reason."""
    key = mesh.data.shape_keys
    if not key.use_relative:
        why = words.fill("its shape keys are absolute; tick Relative above the list of shape keys")
        return (), [Skipped(mesh.name, why)]
    driven = {
        match[1]
        for driver in (key.animation_data.drivers if key.animation_data is not None else ())
        if (match := re.fullmatch(r'key_blocks\["((?:[^"\\]|\\.)*)"\]\.value', driver.data_path))
    }
    names = {block.name for block in key.key_blocks}
    usable, skipped = [], []
    for block in key.key_blocks:
        if block == key.reference_key:
            continue  # the basis moves nothing; nobody needs to be told
        if bpy.utils.escape_identifier(block.name) in driven:
            why = words.fill("a driver moves it")
        elif block.lock_shape:
            why = words.fill("locked")
        elif block.mute:
            why = words.fill("muted")
        elif _CORRECTIVE.search(block.name) or _is_combination(block.name, names):
            why = words.fill("corrects a combination of other shapes")
        else:
            usable.append(block.name)
            continue
        skipped.append(Skipped(f"{block.name} of {mesh.name}", why))
    return tuple(usable), skipped


def _is_combination(name: str, names: set[str]) -> bool:
    """Whether a name is made of the names of two or more others, as "jawOpen_mouthPucker" is."""
    pieces = [piece for piece in _JOINERS.split(name) if piece]
    return len(pieces) > 1 and all(len(piece) > 2 and piece in names for piece in pieces)


def _check_editable(item: bpy.types.Object) -> None:
    if not item.is_editable:
        file = bpy.path.basename(item.library.filepath) if item.library is not None else "another file"
        raise errors.SpeechFaceError(
            f"{item.name} is linked from {file} and cannot be keyed; select it, choose Object > Library Override > "
            "Make, and pick what that makes"
        )


def _kind(picked: bpy.types.Object) -> str:
    if landmark_rig.is_rig(picked):
        return "the landmark armature itself"
    label = picked.bl_rna.properties["type"].enum_items[picked.type].name.lower()
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def _nothing(picked: bpy.types.Object, meshes: list[bpy.types.Object], skipped: list[Skipped]) -> str:
    if skipped:
        count = len(skipped) - 1
        return words.fill(
            "nothing of {0} can be moved: {1} is skipped ({2}), and {3} more"
            if count
            else "nothing of {0} can be moved: {1} is skipped ({2})",
            picked.name,
            skipped[0].name,
            skipped[0].why,
            count,
        )
    if not meshes:
        return words.fill(
            "{0} has no bones and no meshes; choose the mesh of the head, or the armature that moves it", picked.name
        )
    return words.fill(
        "{0} has no shape keys and no bones, so nothing can move its mouth; choose the head that has them, or add "
        "shape keys",
        picked.name,
    )
