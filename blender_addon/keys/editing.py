# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Changes what was made, without a new run: shapes keys anew, follows strips that were moved, and clears.

Only the strips in the list of a character that are ticked count.
"""

from __future__ import annotations

import json

import bpy
import numpy as np

from .. import words
from .._shared import errors, timing
from ..coordinates import CropPlane
from ..pictures import picture_places, texture_plane
from ..pictures.incoming_pictures import plane_of, rig_of
from ..pictures.picture_folder import PictureFolder
from ..properties import SPEECHFACE_Character, SPEECHFACE_Voice
from ..rigs import character as characters
from ..slices import Slices
from ..speakers import cast, sound_strip, strip_frames
from . import key_clearing, key_memory, key_places, keyframes, spoken_markers
from .key_places import Reference
from .key_properties import manner_of
from .key_requests import Policy, Request


def remember(voice: SPEECHFACE_Voice, now: timing.StripFrames) -> None:
    """Keeps with a voice on which frames its motion lies, and at which seconds of the sound."""
    times = now.frame_times
    step = float(np.diff(times).mean()) if len(times) > 1 else 0.0
    voice.made = json.dumps([int(now.scene_frames[0]), len(times), float(times[0]), step])


def made(voice: SPEECHFACE_Voice) -> timing.StripFrames | None:
    """The frames on which the motion of a voice lies; None before it was generated."""
    if not voice.made:
        return None
    first, count, start, step = json.loads(voice.made)
    return timing.StripFrames(np.arange(first, first + count), start + step * np.arange(count))


def mark(scene: bpy.types.Scene, character: SPEECHFACE_Character, voice: SPEECHFACE_Voice) -> tuple[str, ...]:
    """Marks on the timeline what a voice says, where its motion lies; see `spoken_markers.write`."""
    return spoken_markers.write(scene, character, voice, made(voice))


def owners(scene: bpy.types.Scene, character: SPEECHFACE_Character) -> list[bpy.types.ID]:
    """All datablocks of a character that may hold keys: its landmark armature, and those of its rig."""
    found = [rig_of(scene, character)]
    if character.rigging.character is not None and not character.rigging.problem:
        rig = characters.read(character.rigging.character)
        found += [*(part.key for part in rig.parts), rig.armature]
    return [owner for owner in dict.fromkeys(found) if owner is not None]


def is_made(character: SPEECHFACE_Character) -> bool:
    """Whether anything was made for a character that can be edited. Quick, for panels."""
    return any(voice.made for voice in character.voices)


def shape_again(scene: bpy.types.Scene, character: SPEECHFACE_Character) -> Slices[list[str]]:
    """Shapes keys and marks words of a character as its settings say now, from what is remembered; says what it did.

    Raises:
        SpeechFaceError: there are no keys and nothing to mark, or they would not be saved.
    """
    marked = [voice for voice in character.voices if voice.is_used and voice.said]
    told = [sentence for voice in marked for sentence in mark(scene, character, voice)]
    policy = Policy.REPLACE if character.keys.policy == "REPLACE" else Policy.KEEP  # a layer would lie on itself
    manner = manner_of(character.keys, policy)
    requests = [
        keyframes.again(owner, voice.token, manner)
        for owner in owners(scene, character)
        for voice in character.voices
        if voice.is_used and voice.token in key_clearing.bakes_of(owner)
    ]
    if not requests and marked:
        return [words.fill("Marked the timeline anew"), *told]
    if not requests:
        raise errors.SpeechFaceError(f"{character.name} has no keys of the strips that are ticked; generate them first")
    names = [request.owner.name for request in requests]
    written = yield from keyframes.write_steps(requests)
    counts = sum(each.key_count for each in written)
    said = [sentence for each, name in zip(written, names, strict=True) for sentence in each.sentences(name)]
    return [words.fill("Made {0} keys", counts), *said, *told]


def follow_strips(context: bpy.types.Context, character: SPEECHFACE_Character) -> Slices[list[str]]:
    """Lays keys and pictures where the strips are now; says what it did.

    Keys of a strip that was only moved are moved, an artist's too. Of one that was trimmed or retimed the remembered
    motion is keyed anew, as the policy says.

    Raises:
        SpeechFaceError: keys would not be saved, a strip is gone, or a picture cannot be written.
    """
    scene, said = context.scene, []
    for voice in [voice for voice in character.voices if voice.is_used and voice.made]:
        place = cast.find(voice)
        if place is None:
            raise errors.SoundError(f"the sound strip {voice.name!r} is gone; untick it, or choose another")
        before = made(voice)
        frames = sound_strip.strip_frames(*place)
        now = strip_frames.follow(before, frames)
        if not now.is_moved:
            continue
        offset = int(now.scene_frames[0] - before.scene_frames[0])
        is_shift = len(now.scene_frames) == len(before.scene_frames) and np.array_equal(
            now.places, np.arange(len(now.places))
        )
        requests = []
        for owner in owners(scene, character):
            if voice.token not in key_clearing.bakes_of(owner):
                continue
            if is_shift:
                _shift(owner, voice.token, offset)
            manner = manner_of(character.keys, Policy.KEEP if is_shift else None)
            again = keyframes.again(owner, voice.token, manner)
            values = now.values(again.values) if len(again.values) == len(before.frame_times) else again.values
            requests.append(
                Request(owner, voice.token, now.scene_frames, again.curves, values, again.name, again.manner)
            )
        if requests:
            yield from keyframes.write_steps(requests)
        yield from _move_pictures(context, character, voice.token, now)
        remember(voice, now.frames(before))
        mark(scene, character, voice)
        first, last = now.scene_frames[0], now.scene_frames[-1]
        said.append(words.fill("{0} lies on frames {1} to {2} now", place[1].name, first, last))
    return said or [words.fill("All lies where the strips are")]


def _shift(owner: bpy.types.ID, bake: str, offset: int) -> None:
    """Moves all keys of a bake's curves in its range, an artist's too."""
    place = key_places.place_of(owner, bake)
    known = key_memory.remembered(place.action)[bake]
    first, last = known.range
    for path in known.values:
        fcurve = place.bag.fcurves.find(path[0], index=path[1]) if place.bag is not None else None
        if fcurve is None:
            continue
        for point in fcurve.keyframe_points:
            if first - 0.5 <= point.co.x <= last + 0.5:
                for handle in (point.co, point.handle_left, point.handle_right):
                    handle.x += offset
        fcurve.update()


def _move_pictures(
    context: bpy.types.Context, character: SPEECHFACE_Character, token: str, now: strip_frames.Followed
) -> Slices[None]:
    scene, plane = context.scene, plane_of(context.scene, character)
    earlier = texture_plane.sequence_of(plane)
    if earlier is None or token not in earlier.strips:
        return
    reference, start = Reference.to(plane), earlier.strips[token].start
    sources = [earlier.path(start + index) for index in now.pictures]
    folder = PictureFolder(picture_places.place(context), character.name)
    try:
        frames = range(int(now.scene_frames[0]), int(now.scene_frames[-1]) + 1)
        for _ in folder.arrange_moved(token, frames, sources, earlier, is_held=character.between == "HOLD"):
            yield 0.5
        _show(scene, reference.find(), folder.publish(bpy.data.filepath))
    finally:
        folder.discard()


def _show(scene: bpy.types.Scene, plane: bpy.types.Object, sequence: object) -> None:
    width = plane.dimensions.x / max(abs(plane.scale.x), 1e-9)
    texture_plane.write(scene, plane, plane.name, CropPlane(width), sequence)


def clear(context: bpy.types.Context, character: SPEECHFACE_Character) -> Slices[list[str]]:
    """Takes away exactly what was made of the ticked strips: untouched keys, and pictures; says what it did.

    The plane, and a landmark armature that nothing else is made of, go with the last strip.
    """
    scene, said = context.scene, []
    tokens = [voice.token for voice in character.voices if voice.is_used]
    for reference in [Reference.to(owner) for owner in owners(scene, character)]:
        for token in tokens:
            owner = reference.find()
            if token in key_clearing.bakes_of(owner):
                said.append(key_clearing.clear(owner, token).sentence(owner.name))
                yield 0.5
    yield from _clear_pictures(context, character, tokens, said)
    rig = rig_of(scene, character)
    if rig is not None and rig.animation_data is None and not rig.children and not _is_used(rig):
        bpy.data.objects.remove(rig)
        said.append(words.fill("the landmark armature is gone, as nothing was left on it"))
    for voice in character.voices:
        if voice.is_used:
            voice.made = ""
            if count := spoken_markers.clear(scene, character, voice):
                said.append(words.fill("{0} markers of {1} are gone", count, voice.name))
    return [sentence[:1].upper() + sentence[1:] for sentence in said] or [words.fill("There is nothing to clear")]


def _is_used(rig: bpy.types.Object) -> bool:
    """Whether an artist has built on an armature."""
    return bool(rig.constraints) or any(bone.constraints for bone in rig.pose.bones)


def _clear_pictures(
    context: bpy.types.Context, character: SPEECHFACE_Character, tokens: list[str], said: list[str]
) -> Slices[None]:
    scene, plane = context.scene, plane_of(context.scene, character)
    earlier = texture_plane.sequence_of(plane)
    if earlier is None or not set(tokens) & set(earlier.strips):
        return
    left = [token for token in earlier.strips if token not in tokens]
    if not left:
        bpy.data.objects.remove(plane)
        said.append(words.fill("the picture is gone; Clean Up deletes its files"))
        return
    reference = Reference.to(plane)
    folder = PictureFolder(picture_places.place(context), character.name)
    try:
        for _ in folder.arrange_without(tokens, earlier, is_held=character.between == "HOLD"):
            yield 0.5
        _show(scene, reference.find(), folder.publish(bpy.data.filepath))
    finally:
        folder.discard()
    gone = len(earlier.strips) - len(left)
    said.append(words.fill("the pictures of {0} strip(s) are gone; Clean Up deletes their files", gone))
