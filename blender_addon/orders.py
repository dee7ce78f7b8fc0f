# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads from a scene what shall be generated: orders, each for one strip of one character, and the request of an order.

An order keeps names and tokens, never datablocks, and is read when its turn comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from . import (
    cast,
    character_keys,
    character_request,
    compat,
    face_surface,
    photo_landmarks,
    picture_places,
    placement,
    reference_images,
    rigging,
    saved_keys,
    sound_file,
    sound_strip,
    strip_frames,
)
from . import character as characters
from ._shared import errors, motion_controls, notes, rig_mapping, timing
from .coordinates import CropPlane
from .job import JobRequest
from .preferences import settings as backend_settings
from .properties import SPEECHFACE_Character, active_character


@dataclass(frozen=True)
class Order:
    """One strip of one character that shall be generated.

    Attributes:
        scene: what tells the character's scene from others in this session, whatever it is called.
        character: its token.
        name: of the character.
        voice: token of the strip.
        strip: its name, for people.
    """

    scene: int
    character: str
    name: str
    voice: str
    strip: str

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.name}: {self.strip}"


@dataclass(frozen=True)
class Plan:
    """What a generation will write, in names and numbers.

    Attributes:
        order: what was asked for.
        heard: the frames of the strip, each gets a key and a picture.
        use_curves: whether armature and keys are wanted.
        use_texture: whether pictures are wanted.
        rigged: name of the object whose shape keys and bones are keyed; empty if none is.
        mapping: of its channels; None where they are solved.
        surface: of a character whose channels are solved.
        width: metres, of the picture.
        place: of the middle of the picture, where it is new.
        pictures: folder in which the picture sequences lie.
        sound_name: of the strip's file.
        sound_notes: what the user should know of the sound.
    """

    order: Order
    heard: timing.StripFrames
    use_curves: bool
    use_texture: bool
    rigged: str
    mapping: rig_mapping.RigMapping | None
    surface: face_surface.Surface | None
    width: float
    place: tuple[float, float, float]
    pictures: Path
    sound_name: str
    sound_notes: tuple[notes.Note, ...]


def orders(context: bpy.types.Context, character: SPEECHFACE_Character) -> list[Order]:
    """An order for each strip that a character speaks; a strip that is not in its list yet is put there.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """
    if reason := reason_against(context, character):
        raise errors.SpeechFaceError(reason)
    made = []
    for place, strip in cast.spoken(context.scene, compat.sequencer_scene(context), character):
        voice = cast.add_voice(character, place, strip)
        made.append(Order(context.scene.session_uid, character.token, character.name, voice.token, strip.name))
    return made


def disabled_reason(context: bpy.types.Context) -> str:
    """Why Generate cannot work now, as a sentence; empty when it can. Reads no file, so panels may call it."""
    character = active_character(context.scene)
    return reason_against(context, character) if character is not None else "Choose the speech, and a photo or a rig"


def reason_against(context: bpy.types.Context, character: SPEECHFACE_Character) -> str:
    """Why a character cannot be generated, as a sentence; empty when it can."""
    has_rig = character.rigging.character is not None
    if not character.use_curves and not character.use_texture and not has_rig:
        return "Nothing to make: choose a rig, or tick Landmark Curves or Face Picture"
    if has_rig and (reason := rigging.reason_against(character.rigging)):
        return capitalised(reason)
    if character.use_texture or character.face_source == photo_landmarks.LEARNT:
        if reason := photo_landmarks.reason_against(character):
            return reason
    try:
        for place, strip in cast.spoken(context.scene, compat.sequencer_scene(context), character):
            sound_strip.strip_frames(_at_one_rate(context.scene, place), strip)
        backend = backend_settings(context)
        if not backend.connection_file:
            backend.command()
    except errors.SpeechFaceError as error:
        return sentence_of(error)
    return ""


def sentence_of(error: errors.SpeechFaceError) -> str:
    """The failure as a sentence that begins with a capital letter."""
    return capitalised(error.sentence)


def capitalised(sentence: str) -> str:
    """The sentence with a capital letter."""
    return sentence[:1].upper() + sentence[1:]


def prepare(context: bpy.types.Context, order: Order) -> tuple[Plan, JobRequest]:
    """Reads sound and images of an order.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """
    scene, wanted = character_of(order)
    saved_keys.check_scene(scene)
    place, strip = strip_of(scene, wanted, order)
    moved = character_request.read(context, wanted.rigging)
    if wanted.rigging.character is not None:
        character_keys.check(characters.read(wanted.rigging.character), order.voice)
    if wanted.use_curves and wanted.rig is not None:
        saved_keys.check(wanted.rig, order.voice)
    pictures = reference_images.read_all([item.image for item in photo_landmarks.photos_of(wanted)])
    speech = sound_strip.read(place, strip)
    request = JobRequest(
        speech=speech.samples,
        sample_rate=sound_file.SAMPLE_RATE,
        frame_times=speech.frame_times,
        images=pictures.images,
        files=pictures.files,
        names=pictures.names,
        epochs=wanted.epochs if wanted.use_texture else 0,
        seed=wanted.seed,
        wants_blink=wanted.use_blink,
        wants_texture=wanted.use_texture,
        controls=_controls(wanted),
        rig=rigging.text_of(moved.mapping) if moved.mapping is not None else "",
        mesh=(moved.surface.vertices, moved.surface.triangles) if moved.surface is not None else None,
        face=moved.face,
        choice=photo_landmarks.choice_of(wanted, pictures),
    )
    plan = Plan(
        order=order,
        heard=sound_strip.strip_frames(place, strip),
        use_curves=wanted.use_curves,
        use_texture=wanted.use_texture,
        rigged=wanted.rigging.character.name if wanted.rigging.character is not None else "",
        mapping=moved.mapping,
        surface=moved.surface,
        width=wanted.width,
        place=placement.free_place(context, scene, CropPlane(wanted.width)),
        pictures=picture_places.place(context),
        sound_name=speech.sound_name,
        sound_notes=speech.notes,
    )
    return plan, request


def character_of(order: Order) -> tuple[bpy.types.Scene, SPEECHFACE_Character]:
    """The scene and the character of an order as they are now.

    Raises:
        SpeechFaceError: one of them is gone.
    """
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == order.scene), None)
    if scene is None:
        raise errors.SpeechFaceError(f"the scene of {order.label!r} is gone; generate the face again")
    character = cast.by_token(scene, order.character)
    if character is None:
        raise errors.SpeechFaceError(f"the character of {order.label!r} was removed; add it and generate again")
    return scene, character


def strip_of(
    scene: bpy.types.Scene, character: SPEECHFACE_Character, order: Order
) -> tuple[bpy.types.Scene, bpy.types.SoundStrip]:
    """The strip of an order and the scene that holds it, as they are now.

    Raises:
        SpeechFaceError: the strip is gone, or lies in a scene of another frame rate.
    """
    found = cast.by_voice(character, order.voice)
    if found is None:
        raise errors.SoundError(f"the sound strip {order.strip!r} is gone; choose another and generate again")
    return _at_one_rate(scene, found[0]), found[1]


def followed(order: Order, heard: timing.StripFrames) -> strip_frames.Followed:
    """Where that which was made for the frames that were heard belongs now.

    Raises:
        SpeechFaceError: scene, character or strip are gone, or the strip shows nothing of it any more.
    """
    place, strip = strip_of(*character_of(order), order)
    return strip_frames.follow(heard, sound_strip.strip_frames(place, strip))


def _controls(wanted: SPEECHFACE_Character) -> motion_controls.MotionControls:
    """The sliders of the panel; Blender keeps float32, which may lie slightly outside a range."""
    chosen = {}
    for name, bounds in motion_controls.RANGES.items():
        if hasattr(wanted, name):
            chosen[name] = min(max(round(getattr(wanted, name), 6), bounds.least), bounds.most)
    return motion_controls.MotionControls(**chosen)


def _at_one_rate(scene: bpy.types.Scene, place: bpy.types.Scene) -> bpy.types.Scene:
    """The scene that holds a strip.

    Raises:
        SpeechFaceError: it and the character's run at different frame rates, so frames would not match.
    """
    if sound_strip.frame_rate(scene).exact != sound_strip.frame_rate(place).exact:
        raise errors.SpeechFaceError(
            f"scene {place.name}, which holds the sound, and scene {scene.name} have different frame rates; give them "
            "the same"
        )
    return place
