# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Refuses to key what would not be saved, and counts the keys that are really there and what Blender makes of them.

Blender lets a program change linked data, and forgets that when the file is opened again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from .._shared import errors
from . import key_fields, key_places
from .key_requests import Curve

_LOOKS = 5  # frames that are evaluated
_STILL = 1e-6


@dataclass(frozen=True)
class Found:
    """What is there of a bake and will be saved.

    Attributes:
        is_keyed: bool (T,), frames on which at least one curve has a key.
        key_count: keys in the range.
        curve_count: curves that hold them.
        reason: why nothing is saved, as a sentence; empty when it is.
    """

    is_keyed: NDArray[np.bool_]
    key_count: int
    curve_count: int
    reason: str

    @property
    def frame_count(self) -> int:
        """Frames with a key."""
        return int(self.is_keyed.sum())


def check(owner: bpy.types.ID, bake: str, *, is_layer: bool = False, gets_override: bool = False) -> None:
    """Checks that keys of a bake on a datablock will be saved.

    Args:
        owner: an object or shape keys.
        bake: its name.
        is_layer: whether it will be a layer above what is there.
        gets_override: whether the owner will be overridden before it is keyed.

    Raises:
        SpeechFaceError: they would not be; the sentence says the way out.
    """
    if reason := reason_against(owner, bake, is_layer=is_layer, gets_override=gets_override):
        raise errors.SpeechFaceError(reason)


def check_scene(scene: bpy.types.Scene) -> None:
    """Checks that what is made in a scene will be saved.

    Raises:
        SpeechFaceError: it would not be; the sentence says the way out.
    """
    if scene.library is not None:
        raise errors.SpeechFaceError(
            f"the scene {scene.name} is linked from {_file(scene)}, and nothing that is made in it is saved; make it "
            "local (Outliner, Blender File, right-click the scene, ID Data > Make > Local), or work in a scene of this "
            "file"
        )


def reason_against(owner: bpy.types.ID, bake: str, *, is_layer: bool = False, gets_override: bool = False) -> str:
    """Why keys of a bake on a datablock would not be saved, as a sentence; empty when they will be. See `check`."""
    if owner.library is not None and not gets_override:
        return (
            f"{owner.name} is linked from {_file(owner)}, and keys on it are not saved; select it, choose Object > "
            "Library Override > Make, and pick what that makes"
        )
    if not owner.is_editable and not gets_override:
        return f"{owner.name} cannot be edited, so it cannot be keyed; make it local or a library override"
    place = key_places.place_of(owner, bake) if not is_layer else None
    if place is None:
        return ""
    if place.action.library is not None:
        return (
            f"the action {place.action.name} of {owner.name} is linked from {_file(place.action)}, and keys in it are "
            "not saved; choose New Layer, which leaves it as it is, or generate in that file"
        )
    if place.track is not None and place.track.is_override_data and owner.override_library is not None:
        return (
            f"the NLA track {place.track.name} of {owner.name} comes from a linked file, and its action is not saved "
            "here; choose New Layer, which leaves it as it is, or generate in that file"
        )
    return ""


def count(owner: bpy.types.ID, bake: str, frames: NDArray[np.int64], curves: Sequence[Curve]) -> Found:
    """Counts the keys of curves on frames that are in effect and will be saved."""
    reason = reason_against(owner, bake) or _unsaved(owner)
    place = key_places.place_of(owner, bake) if not reason else None
    bag = place.bag if place is not None else None
    is_keyed = np.zeros(len(frames), bool)
    key_count = curve_count = 0
    for curve in curves:
        fcurve = bag.fcurves.find(curve.data_path, index=curve.index) if bag is not None else None
        at = key_fields.places(fcurve)[:, 0]
        inside = at[(at >= frames[0]) & (at <= frames[-1])]
        key_count += len(inside)
        curve_count += bool(len(inside))
        is_keyed |= key_fields.whole_frames(inside, int(frames[0]), len(frames))
    return Found(is_keyed, key_count, curve_count, reason)


def moving(
    scene: bpy.types.Scene, owner: bpy.types.ID, frames: NDArray[np.int64], curves: Sequence[Curve]
) -> NDArray[np.bool_]:
    """Which curves (C,) move their property, as Blender evaluates it on some of the frames."""
    (seen,) = evaluated(scene, [(owner, curves)], frames[some_rows(len(frames))])
    return np.ptp(seen, axis=0) > _STILL


def some_rows(count: int) -> list[int]:
    """Rows to look at: the first, the last and some between."""
    return sorted({*np.linspace(0, count - 1, _LOOKS).round().astype(int).tolist()})


def evaluated(
    scene: bpy.types.Scene, owners: Sequence[tuple[bpy.types.ID, Sequence[Curve]]], frames: NDArray[np.int64]
) -> list[NDArray[np.float64]]:
    """What Blender makes of the curves of each owner on some frames, (F, C) each; the scene's frame stays."""
    found: list[list[list[float]]] = [[] for _ in owners]
    before, subframe = scene.frame_current, scene.frame_subframe
    for frame in frames:
        scene.frame_set(int(frame))
        for values, (owner, curves) in zip(found, owners, strict=True):
            seen = compat.evaluated(scene, owner)
            values.append([_value(seen, curve) for curve in curves])
    scene.frame_set(before, subframe=subframe)
    return [np.array(values, np.float64) for values in found]


def _value(seen: bpy.types.ID, curve: Curve) -> float:
    value = key_places.current(seen, curve.path)
    return np.nan if value is None else value


def _unsaved(owner: bpy.types.ID) -> str:
    """Why what was done to an override is not saved; empty when it is, and for what is no override."""
    override = owner.override_library
    if override is None or owner.animation_data is None:
        return ""
    override.operations_update()
    if any(known.rna_path.startswith("animation_data") for known in override.properties):
        return ""
    return (
        f"the library override of {owner.name} does not keep its animation; make it editable (Object > Library "
        "Override > Make) and generate again"
    )


def _file(datablock: bpy.types.ID) -> str:
    return bpy.path.basename(datablock.library.filepath) if datablock.library is not None else "another file"
