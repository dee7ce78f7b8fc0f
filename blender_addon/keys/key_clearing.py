# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Takes away what a bake has made, and nothing else: keys that an artist has changed stay, with all they need."""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy

from .. import words
from . import key_fields, key_memory, key_places
from .key_places import Place


@dataclass(frozen=True)
class Cleared:
    """What was taken away, and what stays.

    Attributes:
        key_count: keys that were taken away.
        curve_count: curves that had no other keys, and went too.
        action_count: actions that had no other curves, and went too, with their slots and NLA tracks.
        kept_count: keys on the bake's curves in its range that an artist has added, moved or changed, and that stay.
    """

    key_count: int = 0
    curve_count: int = 0
    action_count: int = 0
    kept_count: int = 0

    def sentence(self, name: str) -> str:
        """What was done, for the user."""
        if not self.key_count:
            return words.fill("{0} has no keys of this sound that are as they were made; nothing was cleared", name)
        if self.kept_count:
            return words.fill(
                "cleared {0} keys of {1}; {2} that were set by hand stay", self.key_count, name, self.kept_count
            )
        return words.fill("cleared {0} keys of {1}", self.key_count, name)


def clear(owner: bpy.types.ID, bake: str) -> Cleared:
    """Takes away the untouched keys of a bake from all its layers, and puts properties back that nothing else moves."""
    cleared = Cleared()
    if owner.animation_data is not None:
        owner.animation_data.use_tweak_mode = False  # in it another action seems to be the active one
    while place := next((item for item in key_places.places(owner) if _has(item, bake)), None):
        cleared = _clear(owner, place, bake, cleared)
    animation = owner.animation_data
    if animation is not None and cleared.action_count and not _is_used(animation):
        owner.animation_data_clear()
    return cleared


def bakes_of(owner: bpy.types.ID) -> list[str]:
    """The names of all bakes on a datablock that `clear` can take away."""
    names = [name for place in key_places.places(owner) if _is_ours(place) for name in place.action[key_memory.BAKES]]
    return list(dict.fromkeys(names))


def _has(place: Place, bake: str) -> bool:
    return _is_ours(place) and bake in place.action[key_memory.BAKES]


def _is_ours(place: Place) -> bool:
    return place.action.library is None and (place.track is None or not place.track.is_override_data)


def _is_used(animation: bpy.types.AnimData) -> bool:
    return bool(animation.action or len(animation.nla_tracks) or len(animation.drivers))


def _clear(owner: bpy.types.ID, place: Place, name: str, cleared: Cleared) -> Cleared:
    action, bag = place.action, place.bag
    bake = key_memory.remembered(action)[name]
    for path in bake.values:
        curve = bag.fcurves.find(path[0], index=path[1]) if bag is not None else None
        if curve is None:
            continue
        keys = key_fields.read(curve)
        is_ours = bake.holds(path, keys)
        frames = keys["co"][:, 0]
        kept = int((~is_ours & (bake.first <= frames) & (frames <= bake.range[1])).sum())
        key_count = cleared.key_count + int(is_ours.sum())
        cleared = replace(cleared, key_count=key_count, kept_count=cleared.kept_count + kept)
        if not is_ours.any():
            continue
        if not is_ours.all():
            key_fields.put(curve, key_fields.some(keys, ~is_ours), key_fields.read(None))
        elif len(curve.modifiers):
            curve.keyframe_points.clear()
        else:
            bag.fcurves.remove(curve)  # with its group, if that is empty then
            cleared = replace(cleared, curve_count=cleared.curve_count + 1)
            if not _is_moved(owner, path):
                key_places.set_at_rest(owner, path, bake.before.get(path))
    del action[key_memory.BAKES][name]
    if bag is not None and len(bag.fcurves):
        owner.update_tag()
        return cleared
    if len(action[key_memory.BAKES]):
        return cleared
    key_places.take_away(owner, place)
    action.slots.remove(place.slot)
    if not action.slots and not action.users:
        bpy.data.actions.remove(action)
        cleared = replace(cleared, action_count=cleared.action_count + 1)
    return cleared


def _is_moved(owner: bpy.types.ID, path: key_memory.Path) -> bool:
    """Whether any action of ours still moves a property."""
    for place in key_places.places(owner):
        bag = place.bag
        if bag is not None and bag.fcurves.find(path[0], index=path[1]) is not None:
            return True
    return False
