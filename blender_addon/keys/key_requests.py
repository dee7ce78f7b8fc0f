"""Says what is to be keyed, how that meets what is there, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import words
from .key_memory import Movement, Path
from .key_shapes import KeyShape, Shaping

TRACK = "Speech Face"  # the NLA track of its own, and the group of curves that have none


class Policy(StrEnum):
    """What happens to the keys that are there."""

    REPLACE = "REPLACE"  # those in the range go, an artist's too
    KEEP = "KEEP"  # what an artist has added, moved, changed or taken away stays so
    LAYER = "LAYER"  # all stay; the new ones lie in an action of their own above


@dataclass(frozen=True)
class Curve:
    """An animated number.

    Attributes:
        data_path: from the datablock to the property.
        index: in the property; 0 if it is one number.
        group: under which editors show the curve.
    """

    data_path: str
    index: int
    group: str = TRACK

    @property
    def path(self) -> Path:
        """Data path and index."""
        return self.data_path, self.index


@dataclass(frozen=True)
class Manner:
    """How an artist wants keys to be written.

    Attributes:
        policy: what happens to the keys that are there.
        is_nla: whether the action lies on an NLA track of its own, instead of being the active one.
        influence: 0 to 1, of the new motion: a layer has it as its strip's, else keys are a mixture with what is there.
        is_combined: whether a layer is added to what is below, instead of replacing it.
        shaping: which frames get keys.
    """

    policy: Policy = Policy.KEEP
    is_nla: bool = False
    influence: float = 1.0
    is_combined: bool = False
    shaping: Shaping = Shaping()  # noqa: RUF009 (it is frozen)


@dataclass(frozen=True)
class Request:
    """What is to be keyed on one datablock.

    Attributes:
        owner: an armature object, or the shape keys of a mesh. It is looked at before the first slice alone.
        bake: name under which the range is remembered, so that the next bake of this name replaces it.
        scene_frames: whole frames (T,), ascending by one.
        curves: C animated numbers.
        values: their motion (T, C); or with its keys, which the shaping then does not choose.
        name: for a new action; the owner's if empty.
        manner: how the artist wants it.
    """

    owner: bpy.types.ID
    bake: str
    scene_frames: NDArray[np.int64]
    curves: tuple[Curve, ...]
    values: NDArray | KeyShape
    name: str = ""
    manner: Manner = Manner()


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        action: holds the keys.
        policy: that was followed.
        shape: the motion and its keys, as they would be without anything of an artist's.
        key_count: keys that were written.
        is_kept: bool (T, C), where what an artist made stays instead of ours.
        kept_count: keys in the range that an artist has added, moved or changed, and that stay.
        emptied_count: keys that an artist has taken away, and that were not written again.
        replaced_count: keys that an artist has added, moved or changed, and that were replaced.
        movement: of the whole earlier bake, which stays as the artist moved it; then nothing was written.
        is_alone: whether nothing below is mixed with what was written.
    """

    action: bpy.types.Action
    policy: Policy
    shape: KeyShape
    key_count: int
    is_kept: NDArray[np.bool_]
    kept_count: int = 0
    emptied_count: int = 0
    replaced_count: int = 0
    movement: Movement | None = None
    is_alone: bool = True

    def sentences(self, name: str) -> list[str]:
        """What the user should know of the policy; nothing where it met nothing of an artist's."""
        if self.movement is not None:
            return [
                words.fill(
                    "the keys of {0} were {1} and stay as they are; to have new ones, choose Replace Mine or New Layer "
                    "and generate again",
                    name,
                    self.movement.sentence,
                )
            ]
        said = []
        if self.policy is Policy.LAYER:
            said.append(
                words.fill(
                    "the new keys of {0} lie in the layer {1}; the earlier ones are as they were",
                    name,
                    self.action.name,
                )
            )
        if self.kept_count:
            said.append(words.fill("keys of {0} that were set by hand stay: {1}", name, self.kept_count))
        if self.emptied_count:
            said.append(words.fill("keys of {0} that were taken away by hand stay away: {1}", name, self.emptied_count))
        if self.replaced_count:
            said.append(words.fill("keys of {0} that were set by hand were replaced: {1}", name, self.replaced_count))
        return said
