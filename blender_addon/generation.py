# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Turns a scene into a request, and the results into armature, keys and picture.

Everything is read from the scene before the job begins and written into it after the job has succeeded, so a job that
is cancelled or fails does not change the scene, and one undo step removes a finished one. In between only names are
kept, never datablocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from . import character as characters
from . import (
    character_keys,
    compat,
    face_surface,
    keyframes,
    landmark_rig,
    reference_images,
    rigging,
    sound_file,
    sound_strip,
    texture_plane,
)
from ._shared import errors, motion_controls, notes, protocol, rig_mapping
from .coordinates import CropPlane
from .job import AnimationJob, JobRequest, JobState
from .png_writer import FrameFolder
from .preferences import settings as backend_settings
from .properties import SPEECHFACE_SceneSettings, scene_settings
from .session import Session, session

RIG_NAME = "Speech Face"
PLANE_NAME = "Speech Face Picture"
_FAR = 0.05  # eye distances; a solved face that stays so far from the motion is looked at
_OF_THE_SOUND = (notes.NoteCode.SCALED_SOUND, notes.NoteCode.NO_SPEECH)  # which the backend hears without its file


@dataclass(frozen=True)
class Plan:
    """What a generation will write, in names and numbers.

    Attributes:
        scene_name: gets armature, keys and plane.
        strip_name: names the bake, so that a second one replaces it.
        scene_frames: int64 (T,), each gets a key and a picture.
        use_curves: whether armature and keys are wanted.
        use_texture: whether pictures are wanted.
        character: name of the object whose shape keys and bones are keyed; empty if none is.
        mapping: of the character's channels; None where they are solved.
        surface: of a character whose channels are solved.
        width: metres, of the picture.
        pictures: folder in which the picture sequences lie.
        sound_name: of the strip's file.
        sound_notes: what the user should know of the sound.
    """

    scene_name: str
    strip_name: str
    scene_frames: NDArray[np.int64]
    use_curves: bool
    use_texture: bool
    character: str
    mapping: rig_mapping.RigMapping | None
    surface: face_surface.Surface | None
    width: float
    pictures: Path
    sound_name: str
    sound_notes: tuple[notes.Note, ...]


def disabled_reason(context: bpy.types.Context) -> str:
    """Why Generate cannot work now, as a sentence; empty when it can. Reads no file, so panels may call it."""
    if session.generation is not None:
        return "A face is being generated"
    wanted = scene_settings(context.scene)
    has_character = wanted.rigging.character is not None
    if not wanted.use_curves and not wanted.use_texture and not has_character:
        return "Nothing to make: choose a character, or tick Landmark Curves or Face Picture"
    if has_character and (reason := rigging.reason_against(wanted.rigging)):
        return _capitalised(reason)
    if wanted.use_texture and not wanted.images:
        return "Face Picture needs a photo: add at least one reference image"
    try:
        scene = _strip_scene(context)
        sound_strip.strip_frames(scene, sound_strip.find(scene, wanted.strip_name))
        backend = backend_settings(context)
        if not backend.connection_file:
            backend.command()
    except errors.SpeechFaceError as error:
        return sentence_of(error)
    return ""


def sentence_of(error: errors.SpeechFaceError) -> str:
    """The failure as a sentence that begins with a capital letter."""
    return _capitalised(error.sentence)


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _named(note: notes.Note, sound_name: str) -> notes.Note:
    is_of_sound = note.code in _OF_THE_SOUND and not note.about
    return notes.Note(note.code, note.sentence, sound_name) if is_of_sound else note


def prepare(context: bpy.types.Context) -> tuple[Plan, JobRequest]:
    """Reads sound and images of the active scene.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """
    if reason := disabled_reason(context):
        raise errors.SpeechFaceError(reason)
    wanted = scene_settings(context.scene)
    scene = _strip_scene(context)
    strip = sound_strip.find(scene, wanted.strip_name)
    mapping, surface = _character(context, wanted)
    pictures = reference_images.read_all([item.image for item in wanted.images])
    speech = sound_strip.read(scene, strip)
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
        rig=rigging.text_of(mapping) if mapping is not None else "",
        mesh=(surface.vertices, surface.triangles) if surface is not None else None,
    )
    data_folder = backend_settings(context).data_folder
    plan = Plan(
        scene_name=context.scene.name,
        strip_name=strip.name,
        scene_frames=speech.scene_frames,
        use_curves=wanted.use_curves,
        use_texture=wanted.use_texture,
        character=wanted.rigging.character.name if mapping is not None or surface is not None else "",
        mapping=mapping,
        surface=surface,
        width=wanted.width,
        pictures=Path(bpy.data.filepath).parent / "speech_face" if bpy.data.filepath else data_folder / "pictures",
        sound_name=speech.sound_name,
        sound_notes=speech.notes,
    )
    return plan, request


def _character(
    context: bpy.types.Context, wanted: SPEECHFACE_SceneSettings
) -> tuple[rig_mapping.RigMapping | None, face_surface.Surface | None]:
    """The mapping of the chosen character, or its surface where the names say nothing; neither without one."""
    if wanted.rigging.character is None:
        return None, None
    character = characters.read(wanted.rigging.character)
    if rigging.is_solved(wanted.rigging):
        return None, face_surface.surface(context, character)
    mapping = rigging.mapping_of(wanted.rigging)
    rigging.check(character, mapping)
    return mapping, None


def _controls(wanted: SPEECHFACE_SceneSettings) -> motion_controls.MotionControls:
    """The sliders of the panel; Blender keeps float32, which may lie slightly outside a range."""
    chosen = {}
    for name, bounds in motion_controls.RANGES.items():
        if hasattr(wanted, name):
            chosen[name] = min(max(round(getattr(wanted, name), 6), bounds.least), bounds.most)
    return motion_controls.MotionControls(**chosen)


class Generation:
    """One run: from the scene to its results in the scene."""

    def __init__(self, plan: Plan, request: JobRequest, owner: Session, settings: object) -> None:
        self.plan = plan
        self._owner = owner
        self._said: list[str] = []  # of the character
        self._mapping = plan.mapping
        client = owner.connect(settings)
        self._folder = FrameFolder(plan.pictures, plan.strip_name) if plan.use_texture else None
        self.job = AnimationJob(request, client, self._keep, owner.keep_backend, self._look)

    def discard(self) -> None:
        """Cancels the job if it runs, and deletes pictures that are not in use."""
        if not self.job.is_over:
            self.job.cancel()
            self.job.tick()
        if self._folder is not None:
            self._folder.discard()

    def finish(self, context: bpy.types.Context) -> str:
        """Writes the results into the scene and returns one sentence for the user.

        Raises:
            Cancelled: the job was cancelled.
            SpeechFaceError: the job failed, or the scene is gone.
        """
        if self.job.state is JobState.CANCELLED:
            raise errors.Cancelled
        if self.job.error is not None:
            raise self.job.error
        scene = bpy.data.scenes.get(self.plan.scene_name)
        if scene is None:
            raise errors.SpeechFaceError(f"the scene {self.plan.scene_name} is gone; generate the face again")
        sentence = self._write(context, scene)
        said = [*self.plan.sound_notes, *(_named(note, self.plan.sound_name) for note in self.job.notes)]
        self._owner.notes = [str(note) if note.about else _capitalised(note.sentence) for note in said]
        self._owner.notes += self._said
        return sentence

    def _keep(self, frames: NDArray[np.uint8]) -> None:
        if self._folder is not None:
            self._folder.write(frames)

    def _write(self, context: bpy.types.Context, scene: bpy.types.Scene) -> str:
        plan, curves = self.plan, self.job.curves
        if curves is None:
            raise errors.SpeechFaceError("the backend sent no curves; read its log")
        square = CropPlane(plan.width, curves.image_size)
        chosen = scene_settings(scene)
        made = [self._animate_character(scene)] if plan.character else []
        if plan.use_curves:
            rig = chosen.rig
            if not landmark_rig.is_rig(rig) or rig.name not in scene.objects:
                rig = landmark_rig.create_rig(context, scene, RIG_NAME, square.to_metres(curves.neutral), plan.width)
            locations = square.to_metres(curves.landmarks) - landmark_rig.rest_positions(rig)
            values = locations.reshape(len(locations), -1)
            keyframes.write(rig, plan.strip_name, plan.scene_frames, landmark_rig.curves(), values)
            chosen.rig = rig
            made.append(f"keys on {len(plan.scene_frames)} frames of {rig.name}")
        if self._folder is not None:
            frames = range(int(plan.scene_frames[0]), int(plan.scene_frames[-1]) + 1)
            earlier = chosen.plane if chosen.plane and chosen.plane.name in scene.objects else None
            plane = texture_plane.write(scene, earlier, PLANE_NAME, square, self._folder.publish(), frames)
            if plane != earlier and plan.use_curves:
                plane.parent = chosen.rig
            chosen.plane = plane
            made.append(f"{len(frames)} pictures on {plane.name}")
        return f"Made {' and '.join(made)}"

    def _animate_character(self, scene: bpy.types.Scene) -> str:
        """Keys the character, and returns what moves in the evaluated scene."""
        plan, curves = self.plan, self.job.rig
        mapping, character = self._mapping, self._read_character(scene)
        if curves is None or mapping is None:
            raise errors.SpeechFaceError("the backend sent no curves for the character; read its log")
        result = character_keys.write(
            scene,
            character,
            mapping.channels,
            curves.weights,
            plan.strip_name,
            plan.scene_frames,
            is_nla=scene_settings(scene).rigging.use_nla,
        )
        said = list(result.sentences)
        if curves.residual is not None and (far := float(curves.residual.mean())) > _FAR:
            said.append(
                f"the shape keys of {plan.character} come no nearer to the motion than {far:.2f} eye distances; see "
                "whether its mouth moves as it should"
            )
        self._said = [_capitalised(sentence) for sentence in said]
        return (
            f"keys on {len(plan.scene_frames)} frames of {result.channel_count} channels of {plan.character}, of "
            f"which {result.moving_count} move"
        )

    def _read_character(self, scene: bpy.types.Scene) -> characters.Character:
        picked = scene_settings(scene).rigging.character or bpy.data.objects.get(self.plan.character)
        if picked is None or picked.name != self.plan.character:
            raise errors.SpeechFaceError(f"the character {self.plan.character} is gone; generate the face again")
        return characters.read(picked)

    def _look(self, found: protocol.MeshLandmarks) -> tuple[str, protocol.RigFace]:
        """What the channels of the character do to the landmarks that were found on it."""
        scene, surface = bpy.data.scenes.get(self.plan.scene_name), self.plan.surface
        if scene is None or surface is None:
            raise errors.SpeechFaceError(f"the scene {self.plan.scene_name} is gone; generate the face again")
        self._mapping, face = face_surface.measure(
            bpy.context, self._read_character(scene), scene_settings(scene).rigging, surface, found
        )
        return rigging.text_of(self._mapping), face


def begin(context: bpy.types.Context) -> Generation:
    """Reads the scene and starts a generation, which the session holds until `end`.

    Raises:
        SpeechFaceError: something is missing or unusable, or the backend cannot be started.
    """
    plan, request = prepare(context)
    session.notes = []
    session.failure = ""
    session.generation = Generation(plan, request, session, backend_settings(context))
    return session.generation


def end(context: bpy.types.Context) -> str:
    """Ends the session's generation and writes its results; see `Generation.finish`."""
    generation, session.generation = session.generation, None
    if generation is None:
        raise errors.Cancelled
    try:
        return generation.finish(context)
    finally:
        generation.discard()


def _strip_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that holds the strip: the active one, or the one that the sequencer shows.

    Raises:
        SpeechFaceError: the two run at different frame rates, so frames would not match.
    """
    scene, sequenced = context.scene, compat.sequencer_scene(context)
    if sequenced == scene or any(compat.sound_strips(scene)):
        return scene
    if sound_strip.frame_rate(scene).exact != sound_strip.frame_rate(sequenced).exact:
        raise errors.SpeechFaceError(
            f"scene {sequenced.name}, which holds the sound, and scene {scene.name} have different frame rates; "
            "give them the same"
        )
    return sequenced
