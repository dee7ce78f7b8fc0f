# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Writes motions as keys, in slices that do not hold up a window, and as a policy says of the keys that are there.

One slotted action for each armature or shape keys, one F-curve for each property. The action is active, and one that
was active before moves to an NLA track; or it lies on an NLA track of its own, and the active one stays. Keys are of
Blender's type "Generated", and the action remembers the motion, from which is told what an artist has changed since.
Interpolation is linear where every frame has a key: that needs no handles, and linear pieces cannot overshoot when
motion blur reads between frames. All datablocks change in one last step; until then nothing in the scene is touched.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from .._shared import errors
from ..slices import Slices, exhaust
from . import key_memory, key_places, saved_keys
from .key_drafts import Draft
from .key_requests import TRACK, Curve, Manner, Policy, Request, Written
from .key_shapes import KeyShape

__all__ = ["TRACK", "Curve", "Manner", "Policy", "Request", "Written", "again", "write", "write_steps"]

_TRIES = 5  # when an artist edits the same keys meanwhile


def write(
    owner: bpy.types.ID,
    bake: str,
    scene_frames: NDArray[np.int64],
    curves: Sequence[Curve],
    values: NDArray | KeyShape,
    *,
    name: str = "",
    manner: Manner = Manner(),  # noqa: B008 (it is frozen)
) -> Written:
    """Keys properties of a datablock before it returns; see `Request` and `write_steps`."""
    return exhaust(write_steps([Request(owner, bake, scene_frames, tuple(curves), values, name, manner)]))[0]


def write_steps(requests: Sequence[Request]) -> Slices[list[Written]]:
    """Keys several datablocks in slices of a few milliseconds; they change together, in the last slice.

    An undo, a closed generator or an error before it leaves everything as it was.

    Raises:
        ShapeError: frames, curves and values do not fit together.
        ValueRangeError: the influence is not 0 to 1, or a number of the shaping lies outside its range.
        SpeechFaceError: keys would not be saved, a datablock is gone, or something was undone meanwhile.
    """
    for request in requests:
        values = request.values.values if isinstance(request.values, KeyShape) else request.values
        expected = (len(request.scene_frames), len(request.curves))
        if values.shape != expected or 0 in expected:
            raise errors.ShapeError(f"expected values of shape {expected}, got {values.shape}; none may be empty")
        if not 0 <= request.manner.influence <= 1:
            raise errors.ValueRangeError(f"the influence is {request.manner.influence!r}; give 0 to 1")
        saved_keys.check(request.owner, request.bake, is_layer=request.manner.policy is Policy.LAYER)
    return _steps([Draft(request) for request in requests])


def again(owner: bpy.types.ID, bake: str, manner: Manner) -> Request:
    """Asks for a bake that lies on a datablock once more, as it was asked for at first: to shape its keys anew.

    Raises:
        SpeechFaceError: there is no such bake.
    """
    place = key_places.place_of(owner, bake)
    if place is None or bake not in place.action[key_memory.BAKES]:
        raise errors.SpeechFaceError(f"{owner.name} has no keys of this sound; generate it first")
    known, bag = key_memory.remembered(place.action)[bake], place.bag
    curves = []
    for path in known.values:
        fcurve = bag.fcurves.find(path[0], index=path[1]) if bag is not None else None
        group = fcurve.group.name if fcurve is not None and fcurve.group is not None else TRACK
        curves.append(Curve(*path, group))
    frames, values = np.arange(known.first, known.first + known.count), np.stack(list(known.values.values()), axis=1)
    return Request(owner, bake, frames, tuple(curves), values, place.slot.name_display, manner)


def _steps(drafts: list[Draft]) -> Slices[list[Written]]:
    try:
        for number, draft in enumerate(drafts):
            for done in draft.steps():
                yield (number + done) / len(drafts)
        for _ in range(_TRIES):
            outdated = []
            for draft in drafts:
                if not (yield from draft.compare()):
                    outdated.append(draft)
            if not outdated:
                break
            for draft in outdated:
                yield from draft.steps()
        else:
            raise errors.SpeechFaceError(
                f"keys of {drafts[0].name} were edited while new ones were written; let go of them and generate again"
            )
        for draft in drafts:
            draft.check()
        return [draft.commit() for draft in drafts]
    finally:
        for draft in drafts:
            draft.discard()
