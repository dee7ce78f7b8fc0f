# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportOptionalSubscript=false
"""Writes keys into a draft: an action that nothing uses yet, so that nothing is half-written whatever happens.

A draft has no user, so it is in no saved file. It takes the place of the earlier action in one step. Between slices
only names are kept: an undo frees every datablock. The draft is then gone or not as far as we have written, and the
work ends with a sentence. If an artist has edited the earlier action meanwhile, the draft is made anew from that.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from .._shared import errors
from ..slices import Slices
from . import key_fields, key_judging, key_memory, key_places, key_shapes
from .key_fields import Keys
from .key_judging import Judge, Verdict
from .key_memory import Bake, Movement, Path
from .key_places import Reference
from .key_requests import Policy, Request, Written
from .key_shapes import Interpolation, KeyShape

_UNFINISHED = "speech_face_unfinished"  # property of a draft
COPIED_AT_ONCE = 50_000  # keys of an earlier action that Blender copies in one slice


class Draft:
    """What one request will write. It begins with `steps`, and ends with `commit` or `discard`."""

    def __init__(self, request: Request) -> None:
        self._owner = Reference.to(request.owner)
        self._bake, self._manner, self._motion = request.bake, request.manner, request.values
        self._first, self._last = int(request.scene_frames[0]), int(request.scene_frames[-1])
        self._name = request.name or request.owner.name
        self._wanted = {curve.path: curve for curve in request.curves}
        self._token = uuid.uuid4().hex
        self._forget()

    def _forget(self) -> None:
        self._draft, self._slice = "", 0
        self._earlier: Reference | None = None  # the action whose place the draft will take
        self._handle = 0  # of its slot
        self._seen: dict[Path, Keys] = {}  # of its curves
        self._bakes: dict[str, Bake] = {}
        self._movement: Movement | None = None
        self._judge: Judge | None = None
        self._values = key_shapes.every_frame(np.empty((0, 0)))
        self._is_kept = np.zeros((self._last - self._first + 1, len(self._wanted)), bool)
        self._key_count = self._kept_count = self._emptied_count = self._replaced_count = 0
        self._at_rest: list[tuple[Path, float | None]] = []

    @property
    def name(self) -> str:
        """What the owner is called in sentences."""
        return self._name

    @property
    def _stays(self) -> bool:
        """Whether the earlier bake was moved as one and stays so."""
        return self._movement is not None and self._manner.policy is Policy.KEEP

    def steps(self) -> Slices[None]:
        """Makes the draft, anew if there is one.

        Raises:
            SpeechFaceError: the owner is gone, or something was undone meanwhile.
        """
        self.discard()
        self._forget()
        yield from self._look()
        yield from self._shape()
        if self._stays:
            self._is_kept[:] = True
            return
        is_copy = self._begin()
        yield 0.0
        yield from self._carry_memory(is_copy=is_copy)
        numbers = {path: number for number, path in enumerate(self._wanted)}
        bake = self._bakes.get(self._bake)
        dropped = set(bake.values) - set(self._wanted) if bake is not None else set()
        paths = [*self._seen, *(path for path in self._wanted if path not in self._seen)]
        for number, path in enumerate(paths):
            if path in self._wanted:
                yield from self._write(path, numbers[path], is_copy=is_copy)
            elif path in dropped:
                self._drop(path, is_copy=is_copy)
            elif not is_copy:
                compat.copied_fcurve(self._bag(), self._earlier_curve(path))
            yield number / len(paths)

    def compare(self) -> Slices[bool]:
        """Whether the earlier action is still as the draft was begun from it."""
        if self._earlier is None:
            return True
        if {(curve.data_path, curve.array_index) for curve in self._earlier_curves()} != self._seen.keys():
            return False
        for path, seen in self._seen.items():
            if not np.array_equal(key_fields.places(self._earlier_curve(path)), seen["co"]):
                return False
            yield 1.0
        return True

    def check(self) -> None:
        """Looks whether what `commit` needs is there.

        Raises:
            SpeechFaceError: it is gone.
        """
        self._owner.find()
        if self._earlier is not None:
            self._earlier.find()
        if not self._stays:
            self._action()

    def commit(self) -> Written:
        """Puts the draft into effect."""
        owner = self._owner.find()
        if self._stays:
            return self._written(self._earlier.find())
        animation = owner.animation_data or owner.animation_data_create()
        animation.use_tweak_mode = False  # in it no action can be given
        action = self._action()
        slot = action.slots[0]
        if self._earlier is not None:
            slot = next(item for item in action.slots if item.handle == self._handle)
            key_places.exchange(self._earlier.find(), action)
        else:
            action.name = f"{self._name} Speech"
        del action[_UNFINISHED]
        self._draft = ""
        if self._manner.policy is Policy.LAYER:
            how = {"is_combined": self._manner.is_combined, "influence": self._manner.influence}
            key_places.put_layer(owner, action, slot, self._wanted, **how)
        else:
            key_places.put(owner, action, slot, is_nla=self._manner.is_nla)
        for path, value in self._at_rest:
            key_places.set_at_rest(owner, path, value)
        return self._written(action)

    def _written(self, action: bpy.types.Action) -> Written:
        counts = self._key_count, self._is_kept, self._kept_count, self._emptied_count, self._replaced_count
        movement = self._movement if self._stays else None
        manner = self._manner
        is_alone = key_memory.LAYER not in action or (
            manner.policy is Policy.LAYER and manner.influence == 1 and not manner.is_combined
        )
        return Written(action, manner.policy, self._values, *counts, movement, is_alone)

    def discard(self) -> None:
        """Takes the draft away, if there is one."""
        action = bpy.data.actions.get((self._draft, None)) if self._draft else None
        if action is not None and str(action.get(_UNFINISHED, "")).startswith(self._token):
            bpy.data.actions.remove(action)
        self._draft = ""

    def _look(self) -> Slices[None]:
        """Reads what lies there, and which keys are still as bakes wrote them."""
        owner = self._owner.find()
        if owner.animation_data is not None:
            owner.animation_data.use_tweak_mode = False  # in it another action seems to be the active one
        place = key_places.place_of(owner, self._bake) if self._manner.policy is not Policy.LAYER else None
        strip_movement = None
        if place is not None:
            self._earlier = Reference("actions", place.action.name, place.action.session_uid)
            self._handle = place.slot.handle
            self._bakes = key_memory.remembered(place.action, tuple(self._wanted))
            strip_movement = place.movement
        del owner, place
        bake = self._bakes.get(self._bake)
        with_handles = any(each.interpolation is Interpolation.BEZIER for each in self._bakes.values())
        found: dict[Path, NDArray[np.float32]] = {}
        generated = key_fields.enum("type", "GENERATED")
        for path in [(curve.data_path, curve.array_index) for curve in self._earlier_curves()]:
            keys = self._seen[path] = key_fields.marks(self._earlier_curve(path), with_handles=with_handles)
            if bake is not None and path in bake.values:
                found[path] = keys["co"][keys["type"] == generated]
            yield 0.0
        moved = None
        if bake is not None:
            later = self._first - bake.first
            keys_movement = yield from key_memory.movement(bake, found)
            if keys_movement is not None and keys_movement.is_shift_by(later):  # along with the sound
                self._bakes[self._bake] = bake = bake.moved(later)
            elif keys_movement is not None:
                self._movement, moved = keys_movement, keys_movement.of(*bake.range)
            elif strip_movement is not None and not strip_movement.is_shift_by(later):
                self._movement = strip_movement
        others = key_judging.others(self._bakes, self._bake)
        self._judge = Judge(self._manner.policy, self._first, len(self._is_kept), bake, others, moved)

    def _shape(self) -> Slices[None]:
        """Mixes the motion with what is there, and chooses its keys."""
        motion, influence = self._motion, self._manner.influence
        if influence < 1 and self._manner.policy is not Policy.LAYER and not self._stays:
            values = motion.values if isinstance(motion, KeyShape) else motion
            there = np.empty(values.shape, np.float32)
            for number, path in enumerate(self._wanted):
                there[:, number] = self._there(path)
                yield 0.0
            mixed = key_shapes.blend(there, values, influence)
            motion = replace(motion, values=mixed) if isinstance(motion, KeyShape) else mixed
        if not isinstance(motion, KeyShape):
            motion = yield from key_shapes.shape_steps(motion, self._manner.shaping)
        self._values = motion

    def _there(self, path: Path) -> NDArray[np.float64]:
        """What a curve makes on the frames (T,) until now; without one, what the property is."""
        frames = range(self._first, self._last + 1)
        if path in self._seen:
            evaluate = self._earlier_curve(path).evaluate
            return np.fromiter(map(evaluate, frames), np.float64, len(frames))
        return np.full(len(frames), key_places.current(self._owner.find(), path) or 0.0)

    def _begin(self) -> bool:
        """Makes the draft; returns whether it is a copy of the earlier action, or empty."""
        earlier = self._earlier.find() if self._earlier is not None else None
        count = sum(len(keys["co"]) for keys in self._seen.values())
        if earlier is not None and (count <= COPIED_AT_ONCE or not compat.can_copy_fcurves(self._earlier_curves())):
            action, is_copy = earlier.copy(), True
        else:
            action, is_copy = bpy.data.actions.new("Speech Face Draft"), False
            slot = action.slots.new(id_type=self._owner.id_type, name=self._name)
            if earlier is not None and (len(earlier.slots) > 1 or slot.handle != self._handle):
                bpy.data.actions.remove(action)
                action, is_copy = earlier.copy(), True
            elif earlier is not None:
                key_places.copy_settings(earlier, action)
        action.use_fake_user = False
        action[_UNFINISHED] = f"{self._token} 0"
        action.name = "Speech Face Draft"
        self._draft, self._slice = action.name, 0
        return is_copy

    def _carry_memory(self, *, is_copy: bool) -> Slices[None]:
        """Notes this bake, and other bakes without what it writes over."""
        bake = self._bakes.get(self._bake)
        paths = {*self._wanted, *(bake.values if bake is not None else ())}
        for name, other in self._bakes.items():
            if name == self._bake:
                continue
            trimmed = key_memory.without_range(other, paths, self._first, self._last)
            if trimmed is not other or not is_copy:
                key_memory.store(self._action(), name, trimmed)
            yield 0.0
        interpolation = self._values.interpolation
        frame_count = self._last - self._first + 1
        key_memory.begin(self._action(), self._bake, self._first, frame_count, self._wanted, interpolation)

    def _write(self, path: Path, number: int, *, is_copy: bool) -> Slices[None]:
        """Writes one wanted curve."""
        curve, earlier = self._wanted[path], self._earlier_curve(path) if path in self._seen else None
        values, is_key = self._values.values[:, number], self._values.is_key[:, number]
        before = self._judge.before(path)
        is_free, kept, strays = np.ones(len(values), bool), key_fields.read(None), np.empty(0, np.float32)
        bag = self._bag()
        if earlier is None:
            before = key_places.current(self._owner.find(), path) if before is None else before
            compat.new_fcurve(bag, *path, curve.group)
        else:
            verdict = self._judged(path)
            is_free, strays = verdict.is_free, verdict.strays
            if not verdict.is_removed.all():
                kept = key_fields.some(key_fields.read(earlier), ~verdict.is_removed)
            if not is_copy:
                compat.copied_fcurve(bag, earlier, with_keys=False)
        del earlier, bag
        at = np.flatnonzero(is_key & is_free)
        new = key_fields.generated(self._first, values, at, np.flatnonzero(is_key), self._values.interpolation)
        yield from key_fields.put_steps(lambda: self._bag().fcurves.find(path[0], index=path[1]), kept, new)
        key_memory.remember(self._action(), self._bake, number, values, is_key, before, strays)
        self._is_kept[:, number] = ~is_free
        self._key_count += len(at)

    def _drop(self, path: Path, *, is_copy: bool) -> None:
        """Removes our keys of a curve that this bake no longer has; without any key left, the property goes to rest."""
        earlier, bag = self._earlier_curve(path), self._bag()
        kept = key_fields.some(key_fields.read(earlier), ~self._judged(path).is_removed)
        if not len(kept["co"]):
            self._at_rest.append((path, self._judge.before(path)))
            if is_copy:
                bag.fcurves.remove(bag.fcurves.find(path[0], index=path[1]))
            return
        curve = bag.fcurves.find(path[0], index=path[1]) if is_copy else compat.copied_fcurve(bag, earlier)
        key_fields.put(curve, kept, key_fields.read(None))

    def _judged(self, path: Path) -> Verdict:
        verdict = self._judge.judge(path, self._seen[path])
        self._kept_count += verdict.kept_count
        self._emptied_count += verdict.emptied_count
        self._replaced_count += verdict.replaced_count
        return verdict

    def _action(self) -> bpy.types.Action:
        """The draft, with the mark of the next slice: an undone one has the mark of an earlier slice, or is gone."""
        action = bpy.data.actions.get((self._draft, None))
        if action is None or action.get(_UNFINISHED) != f"{self._token} {self._slice}":
            raise errors.SpeechFaceError(
                f"no keys were written on {self._name}, because something was undone meanwhile; generate again"
            )
        self._slice += 1
        action[_UNFINISHED] = f"{self._token} {self._slice}"
        return action

    def _bag(self) -> bpy.types.ActionChannelbag:
        action = self._action()
        slot = next((item for item in action.slots if item.handle == self._handle), action.slots[0])
        return key_places.ensured_bag(action, slot)

    def _earlier_bag(self) -> bpy.types.ActionChannelbag | None:
        action = self._earlier.find() if self._earlier is not None else None
        slot = next((item for item in action.slots if item.handle == self._handle), None) if action else None
        return key_places.bag_of(action, slot) if slot is not None else None

    def _earlier_curves(self) -> list[bpy.types.FCurve]:
        bag = self._earlier_bag()
        return list(bag.fcurves) if bag is not None else []

    def _earlier_curve(self, path: Path) -> bpy.types.FCurve:
        bag = self._earlier_bag()
        if bag is not None and (curve := bag.fcurves.find(path[0], index=path[1])) is not None:
            return curve
        raise errors.SpeechFaceError(
            f"the curve {path[0]} of {self._name} was taken away while keys were written; generate again"
        )
