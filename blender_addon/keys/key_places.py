# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportReturnType=false, reportIndexIssue=false
"""Finds the actions in which bakes lie, active or on NLA tracks, and puts actions there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import bpy

from .._shared import errors
from . import key_memory
from .key_memory import Movement, Path
from .key_requests import TRACK

_COLLECTIONS = {"OBJECT": "objects", "KEY": "shape_keys"}  # of bpy.data


@dataclass(frozen=True)
class Reference:
    """A datablock by what outlives an undo, which frees it and makes it again."""

    collection: str
    name: str
    uid: int
    id_type: str = ""

    @classmethod
    def to(cls, owner: bpy.types.ID) -> Reference:
        """Refers to a datablock that can be keyed."""
        return cls(_COLLECTIONS[owner.id_type], owner.name, owner.session_uid, owner.id_type)

    def find(self) -> bpy.types.ID:
        """The datablock as it is now.

        Raises:
            SpeechFaceError: it is gone.
        """
        every = getattr(bpy.data, self.collection)
        found = every.get((self.name, None))
        if found is None or found.session_uid != self.uid:
            found = next((item for item in every if item.session_uid == self.uid), None)
        if found is None:
            raise errors.SpeechFaceError(f"{self.name} is gone, so it has no keys; generate the face again")
        return found


@dataclass(frozen=True)
class Place:
    """Where an action of ours lies. It holds datablocks: find it again rather than keep it.

    Attributes:
        action: of ours.
        slot: of the owner.
        track: None where the action is the active one.
    """

    action: bpy.types.Action
    slot: bpy.types.ActionSlot
    track: bpy.types.NlaTrack | None

    @property
    def is_layer(self) -> bool:
        """Whether it was laid above an earlier one."""
        return key_memory.LAYER in self.action

    @property
    def bag(self) -> bpy.types.ActionChannelbag | None:
        """The curves of the owner."""
        return bag_of(self.action, self.slot)

    @property
    def movement(self) -> Movement | None:
        """How an artist has moved the strip; None if frame lies on frame."""
        if self.track is None:
            return None
        strip = self.track.strips[0]
        offset = strip.frame_start - strip.action_frame_start * strip.scale
        if abs(strip.scale - 1) < 1e-4 and abs(offset) < 1e-2:
            return None
        return Movement(1.0 if abs(strip.scale - 1) < 1e-4 else strip.scale, offset)


def places(owner: bpy.types.ID) -> list[Place]:
    """All places of our actions, the uppermost first."""
    animation = owner.animation_data
    if animation is None:
        return []
    found = []
    if key_memory.owns(animation.action) and animation.action_slot is not None:
        found.append(Place(animation.action, animation.action_slot, None))
    for track in reversed(animation.nla_tracks):
        strip = track.strips[0] if len(track.strips) else None
        if strip is not None and key_memory.owns(strip.action) and strip.action_slot is not None:
            found.append(Place(strip.action, strip.action_slot, track))
    return found


def place_of(owner: bpy.types.ID, bake: str) -> Place | None:
    """Where a bake lies, or would be written: the uppermost action that has it, else the one that is no layer."""
    every = places(owner)
    holding = [place for place in every if bake in place.action[key_memory.BAKES]]
    return next(iter(holding or [place for place in every if not place.is_layer]), None)


def bag_of(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> bpy.types.ActionChannelbag | None:
    """The curves of a slot; None where the action has none."""
    if not action.layers or not action.layers[0].strips:
        return None
    return action.layers[0].strips[0].channelbag(slot)


def ensured_bag(action: bpy.types.Action, slot: bpy.types.ActionSlot) -> bpy.types.ActionChannelbag:
    """The curves of a slot, with the layer and the strip that they need."""
    layer = action.layers[0] if action.layers else action.layers.new(TRACK)
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def exchange(earlier: bpy.types.Action, action: bpy.types.Action) -> None:
    """Gives an action name and users of an earlier one, which is taken away."""
    action.use_fake_user = earlier.use_fake_user
    if earlier.asset_data is not None:
        action.asset_mark()
        for name in ("author", "catalog_id", "description"):
            setattr(action.asset_data, name, getattr(earlier.asset_data, name))
    name = earlier.name
    earlier.user_remap(action)
    bpy.data.actions.remove(earlier)
    action.name = name


def copy_settings(earlier: bpy.types.Action, action: bpy.types.Action) -> None:
    """Gives an action what an earlier one has beside curves and bakes."""
    for name in earlier.keys():  # noqa: SIM118 (an ID is no dictionary)
        if name != key_memory.BAKES:
            action[name] = earlier[name]
    for marker in earlier.pose_markers:
        action.pose_markers.new(marker.name).frame = marker.frame
    for name in ("use_frame_range", "frame_start", "frame_end", "use_cyclic"):
        setattr(action, name, getattr(earlier, name))


def put(owner: bpy.types.ID, action: bpy.types.Action, slot: bpy.types.ActionSlot, *, is_nla: bool) -> None:
    """Makes an action the active one, or lays it on the NLA track of its own, frame on frame."""
    animation = owner.animation_data
    every = places(owner)
    if key_memory.LAYER in action:
        for place in every:
            if place.action == action and place.track is not None:
                _align(place.track.strips[0], action)
        return
    track = next((place.track for place in every if place.track is not None and place.action == action), None)
    if not is_nla and not any(place.is_layer for place in every):  # which an active action would hide
        if track is not None:
            animation.nla_tracks.remove(track)
        if animation.action not in (None, action):
            _send_active_down(animation, action)
        animation.action, animation.action_slot = action, slot
        return
    if animation.action == action:
        animation.action = None
    if track is None:
        track = _push_down(animation, TRACK, action, slot)
    _align(track.strips[0], action)


def put_layer(
    owner: bpy.types.ID,
    action: bpy.types.Action,
    slot: bpy.types.ActionSlot,
    paths: Collection[Path],
    *,
    is_combined: bool,
    influence: float,
) -> None:
    """Lays an action above all tracks; an active action that moves the same goes to a track below."""
    animation = owner.animation_data
    active = animation.action
    if active is not None and animation.action_slot is not None:
        bag = bag_of(active, animation.action_slot)
        if bag is not None and any((curve.data_path, curve.array_index) in paths for curve in bag.fcurves):
            _send_active_down(animation, action)
    action[key_memory.LAYER] = True
    strip = _push_down(animation, f"{TRACK} Layer", action, slot).strips[0]
    _align(strip, action)
    # 5.0 takes 1 for the rest of shape keys and multiplies them in COMBINE; ADD is the same for plain numbers.
    combining = "ADD" if owner.id_type == "KEY" else "COMBINE"
    strip.blend_type = combining if is_combined else "REPLACE"
    strip.extrapolation = "NOTHING"  # before and after it, what is below stays
    if influence < 1:
        strip.use_animated_influence = True
        strip.influence = influence
        for key in strip.fcurves.find("influence").keyframe_points:
            key.co = (strip.frame_start, influence)


def _send_active_down(animation: bpy.types.AnimData, ours: bpy.types.Action) -> None:
    active, slot = animation.action, animation.action_slot
    is_ours = key_memory.owns(active)
    track = _push_down(animation, TRACK if is_ours else active.name, active, slot)
    if is_ours:
        _align(track.strips[0], active)
    else:
        ours[key_memory.PUSHED] = [*ours.get(key_memory.PUSHED, ()), track.name]
    animation.action = None


def _push_down(
    animation: bpy.types.AnimData, name: str, action: bpy.types.Action, slot: bpy.types.ActionSlot | None
) -> bpy.types.NlaTrack:
    track = animation.nla_tracks.new()
    track.name = name
    strip = track.strips.new(action.name, int(action.frame_range[0]), action)
    if slot is not None:
        strip.action_slot = slot
    return track


def _align(strip: bpy.types.NlaStrip, action: bpy.types.Action) -> None:
    first, last = action.frame_range
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1)
    strip.scale = strip.repeat = 1.0
    strip.frame_start_raw, strip.frame_end_raw = first, max(last, first + 1)


def take_away(owner: bpy.types.ID, place: Place) -> None:
    """Takes an empty action of ours from its place, and puts back what it had sent to a track."""
    animation = owner.animation_data
    pushed = list(place.action.get(key_memory.PUSHED, ()))
    if place.track is not None:
        animation.nla_tracks.remove(place.track)
    else:
        animation.action = None
    for name in reversed(pushed):
        track = next((track for track in animation.nla_tracks if track.name == name and len(track.strips) == 1), None)
        if track is not None and animation.action is None and track.strips[0].action is not None:
            action, slot = track.strips[0].action, track.strips[0].action_slot
            animation.nla_tracks.remove(track)
            animation.action = action
            if slot is not None:
                animation.action_slot = slot


def current(owner: bpy.types.ID, path: Path) -> float | None:
    """An animated number as it is; None where the property is gone."""
    try:
        value = owner.path_resolve(path[0])
    except ValueError:
        return None
    return float(value) if isinstance(value, float | int) else float(value[path[1]])


def set_at_rest(owner: bpy.types.ID, path: Path, before: float | None) -> None:
    """Sets a property that nothing moves any more to what it was before, or to its rest."""
    holder, _, name = path[0].rpartition(".")
    try:
        struct = owner.path_resolve(holder)
    except ValueError:  # the shape key or bone is gone
        return
    declared = struct.bl_rna.properties[name]
    if declared.is_array:
        getattr(struct, name)[path[1]] = declared.default_array[path[1]] if before is None else before
    elif before is not None:
        setattr(struct, name, before)
    else:  # the declared default of a shape key is 1 in 5.0
        setattr(struct, name, 0.0 if isinstance(struct, bpy.types.ShapeKey) else declared.default)
