# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Reads from a scene what shall be generated: orders, each for one strip of one character, and the request of an order.

An order keeps names and tokens, never datablocks, and is read when its turn comes.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import bpy

from . import compat, stages, words
from ._shared import errors, motion_controls, notes, rig_mapping, timing
from .coordinates import CropPlane
from .job_request import JobRequest
from .keys import saved_keys, spoken_markers
from .pictures import picture_places, placement
from .preferences import settings as backend_settings
from .properties import SPEECHFACE_Character, active_character
from .rigs import character as characters
from .rigs import character_keys, character_request, face_surface, rigging
from .speakers import cast, photo_landmarks, reference_images, scene_strips, sound_file, sound_strip, strip_frames


@dataclass(frozen=True)
class Order:
    """One strip of one character that shall be generated.

    Attributes:
        scene: what tells the character's scene from others while Blender runs, whatever it is called.
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
        sound_mark: of its content; None where it cannot be read.
        sound_notes: what the user should know of the sound.
        remarks: and of the strip.
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
    sound_mark: str | None
    sound_notes: tuple[notes.Note, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How much of photos and sound was read.

    Attributes:
        stage: one of `stages`.
        step: that is done.
        steps: in all.
    """

    stage: str
    step: int
    steps: int


def orders(context: bpy.types.Context, character: SPEECHFACE_Character) -> list[Order]:
    """An order for each strip that a character speaks; a strip that is not in its list yet is put there.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """
    if reason := reason_against(context, character):
        raise errors.SpeechFaceError(reason)
    made = []
    for place, strip in _spoken(context, character):
        voice = cast.add_voice(character, place, strip)
        made.append(Order(context.scene.session_uid, character.token, character.name, voice.token, strip.name))
    return made


def disabled_reason(context: bpy.types.Context) -> str:
    """Why Generate cannot work now, as a sentence; empty when it can. Reads no file, so panels may call it."""
    character = active_character(context.scene)
    if character is None:
        return words.fill("Choose the speech, and a photo or a rig")
    return reason_against(context, character)


def reason_against(context: bpy.types.Context, character: SPEECHFACE_Character) -> str:
    """Why a character cannot be generated, as a sentence; empty when it can."""
    has_rig = character.rigging.character is not None
    if not character.use_curves and not character.use_texture and not has_rig:
        return words.fill("Nothing to make: choose a rig, or tick Landmark Curves or Face Picture")
    if has_rig and (reason := rigging.reason_against(character.rigging)):
        return capitalised(reason)
    needs_face = character.use_texture or character.face_source == photo_landmarks.LEARNT
    if needs_face and (reason := photo_landmarks.reason_against(character)):
        return reason
    try:
        for place, strip in _spoken(context, character):
            scene_strips.seen_frames(context.scene, place, strip)
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


def remarks(context: bpy.types.Context, character: SPEECHFACE_Character) -> list[str]:
    """What is to be said of the strips before they are generated: those that nobody hears."""
    try:
        return [said for found in _spoken(context, character) for said in sound_strip.remarks(*found)]
    except errors.SpeechFaceError:
        return []  # Generate says it


def prepare(context: bpy.types.Context, order: Order) -> Generator[Reading, None, tuple[Plan, JobRequest]]:
    """Reads sound and images of an order, in steps; each looks up again what it reads.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """
    scene, wanted = character_of(order)
    saved_keys.check_scene(scene)
    transcript = spoken_markers.transcript_of(cast.voice_of(wanted, order.voice))
    moved = character_request.read(context, wanted.rigging)
    is_layer = wanted.keys.policy == "LAYER"
    if wanted.rigging.character is not None:
        character_keys.check(characters.read(wanted.rigging.character), order.voice, is_layer=is_layer)
    if wanted.use_curves and wanted.rig is not None:
        saved_keys.check(wanted.rig, order.voice, is_layer=is_layer)
    reading = reference_images.read_all(len(photo_landmarks.photos_of(wanted)), lambda index: image_at(order, index))
    while True:
        try:
            done, count = next(reading)
        except StopIteration as ended:
            pictures = ended.value
            break
        yield Reading(stages.READING_PHOTOS, done, count)
    scene, wanted = character_of(order)
    place, strip = strip_of(wanted, order)
    heard = scene_strips.seen_frames(scene, place, strip)
    said, sound_mark = sound_strip.remarks(place, strip), sound_strip.mark(strip)
    listening = sound_strip.read(place, strip)
    while True:
        try:
            share = next(listening)
        except StopIteration as ended:
            speech = ended.value
            break
        yield Reading(stages.READING_SOUND, round(100 * share), 100)
    scene, wanted = character_of(order)
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
        size=int(wanted.size),
        controls=_controls(wanted),
        rig=rigging.text_of(moved.mapping) if moved.mapping is not None else "",
        mesh=(moved.surface.vertices, moved.surface.triangles) if moved.surface is not None else None,
        face=moved.face,
        choice=photo_landmarks.choice_of(wanted, pictures),
        wants_speech=wanted.keys.markers != spoken_markers.Marked.NONE,
        transcript=transcript,
    )
    plan = Plan(
        order=order,
        heard=heard,
        use_curves=wanted.use_curves,
        use_texture=wanted.use_texture,
        rigged=wanted.rigging.character.name if wanted.rigging.character is not None else "",
        mapping=moved.mapping,
        surface=moved.surface,
        width=wanted.width,
        place=placement.free_place(context, scene, CropPlane(wanted.width)),
        pictures=picture_places.place(context),
        sound_name=speech.sound_name,
        sound_mark=sound_mark,
        sound_notes=speech.notes,
        remarks=tuple(said),
    )
    return plan, request


def image_at(order: Order, index: int) -> bpy.types.Image | None:
    """An image of an order's character as it is now; None where there is none any more."""
    images = character_of(order)[1].images
    return images[index].image if index < len(images) else None


def _spoken(
    context: bpy.types.Context, character: SPEECHFACE_Character
) -> list[tuple[bpy.types.Scene, bpy.types.SoundStrip]]:
    return cast.spoken(context.scene, compat.sequencer_scene(context), character)


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


def strip_of(character: SPEECHFACE_Character, order: Order) -> tuple[bpy.types.Scene, bpy.types.SoundStrip]:
    """The strip of an order and the scene that holds it, as they are now.

    Raises:
        SoundError: the strip is gone.
    """
    found = cast.by_voice(character, order.voice)
    if found is None:
        raise errors.SoundError(f"the sound strip {order.strip!r} is gone; choose another and generate again")
    return found


def followed(plan: Plan) -> strip_frames.Followed:
    """Where that which was made for the frames that were heard belongs now.

    Raises:
        SpeechFaceError: scene, character or strip are gone, the strip shows nothing of it any more, or plays another
            sound.
    """
    scene, character = character_of(plan.order)
    place, strip = strip_of(character, plan.order)
    if strip.sound is None or sound_strip.mark(strip) not in (plan.sound_mark, None):
        raise errors.SoundError(
            f"the sound of the strip {strip.name!r} was replaced while the face was made from {plan.sound_name!r}; "
            "nothing was written, generate again"
        )
    return strip_frames.follow(plan.heard, scene_strips.seen_frames(scene, place, strip))


def _controls(wanted: SPEECHFACE_Character) -> motion_controls.MotionControls:
    """The sliders of the panel; Blender keeps float32, which may lie slightly outside a range."""
    chosen = {}
    for name, bounds in motion_controls.RANGES.items():
        if hasattr(wanted, name):
            chosen[name] = min(max(round(getattr(wanted, name), 6), bounds.least), bounds.most)
    return motion_controls.MotionControls(**chosen)
