# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Carries out orders, one after the other, and turns the results into armature, keys and picture.

Everything is read from the scene before a job begins and written into it after the job has succeeded, so a job that is
cancelled or fails does not change the scene, and one undo step removes a finished one. In between only names are kept,
never datablocks.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from . import orders, slices, words
from ._shared import errors, notes, protocol
from .coordinates import CropPlane
from .job import AnimationJob, JobState
from .job_request import JobRequest
from .keys import editing, keyframes, saved_keys, spoken_markers
from .keys.key_places import Reference
from .keys.key_properties import manner_of
from .orders import Order, Plan, capitalised
from .pictures import placement, texture_plane
from .pictures.incoming_pictures import TICK_SECONDS, IncomingPictures, plane_of, rig_of, run_until_done
from .pictures.picture_folder import PictureFolder
from .preferences import settings as backend_settings
from .properties import SPEECHFACE_Character, scene_settings
from .rigs import character as characters
from .rigs import character_keys, face_landmarks, face_surface, landmark_keys, landmark_rig, rigging
from .session import Session, session
from .slices import Slices
from .speakers import cast, photo_landmarks, strip_frames

if TYPE_CHECKING:
    from .session import Run

RIG_NAME = "Speech Face"
PLANE_NAME = "Speech Face Picture"
_FAR = 0.05  # eye distances; a solved face that stays so far from the motion is looked at
_OF_THE_SOUND = (  # which the backend hears without its file
    notes.NoteCode.SCALED_SOUND,
    notes.NoteCode.NO_SPEECH,
    notes.NoteCode.NO_LETTERS,
    notes.NoteCode.UNKNOWN_LETTERS,
    notes.NoteCode.OTHER_TRANSCRIPT,
)


def _named(note: notes.Note, sound_name: str) -> notes.Note:
    is_of_sound = note.code in _OF_THE_SOUND and not note.about
    return notes.Note(note.code, note.sentence, sound_name) if is_of_sound else note


class Generation:
    """One run: from the scene to its results in the scene."""

    def __init__(self, plan: Plan, request: JobRequest, owner: Session, settings: object) -> None:
        self.plan = plan
        self._owner = owner
        self._said: list[str] = []  # of the rig
        self._mapping = plan.mapping
        client = owner.connect(settings)
        self._pictures: IncomingPictures | None = None
        if plan.use_texture:
            folder, frames = PictureFolder(plan.pictures, plan.order.name), plan.heard.scene_frames.tolist()
            self._pictures = IncomingPictures(folder, plan.order, frames, plan.width, plan.place)
        self.made: list[str] = []  # names of the objects
        take = self._pictures.take if self._pictures is not None else lambda frames: None
        self.job = AnimationJob(request, client, take, owner.keep_backend, self._look)

    @property
    def is_over(self) -> bool:
        """Whether the job has ended and all its pictures are written."""
        return self.job.is_over if self._pictures is None else self._pictures.is_over(self.job)

    def tick(self, budget: float | None = TICK_SECONDS) -> None:
        """Takes a step; see `IncomingPictures.carry_on`."""
        if self._pictures is None:
            self.job.tick()
        else:
            self._pictures.carry_on(self.job, budget)

    def run_until_done(self, timeout: float | None = None) -> None:
        """Ticks until it is over; see `AnimationJob.run_until_done`."""
        run_until_done(self.job, self.tick, timeout)

    def discard(self) -> None:
        """Cancels the job if it runs, and deletes pictures that are not in use."""
        if not self.job.is_over:
            self.job.cancel()
            self.job.tick()
        if self._pictures is not None:
            self._pictures.discard()

    def finish(self, context: bpy.types.Context) -> Generator[float | None, None, str]:
        """Writes the results into the scene, in steps, and returns one sentence for the user.

        Raises:
            Cancelled: the job was cancelled.
            SpeechFaceError: the job failed, or the scene is gone.
        """
        if self.job.state is JobState.CANCELLED:
            raise errors.Cancelled
        if self.job.error is not None:
            raise self.job.error
        if self.job.curves is None:
            raise errors.SpeechFaceError("the backend sent no curves; read its log")
        order = self.plan.order
        scene, character = orders.character_of(order)
        now = orders.followed(self.plan)
        if self._pictures is not None:
            earlier = texture_plane.sequence_of(plane_of(scene, character))
            is_held = character.between == "HOLD"
            frames = _range(now.scene_frames)
            yield from self._pictures.folder.arrange(order.voice, frames, earlier, is_held=is_held, order=now.pictures)
        sentence = yield from self._write(context, now)
        self._remember(now)
        heard = [_named(photo_landmarks.said_here(note), self.plan.sound_name) for note in self.job.notes]
        said = [*self.plan.sound_notes, *heard]
        self._owner.notes = [str(note) if note.about else capitalised(note.sentence) for note in said]
        self._owner.notes += [*self.plan.remarks, *self._said]
        return sentence

    def _remember(self, now: strip_frames.Followed) -> None:
        """Keeps with the voice where the results lie and what is said, and marks it on the timeline."""
        order, heard = self.plan.order, self.plan.heard
        scene, character = orders.character_of(order)
        voice = cast.voice_of(character, order.voice)
        if voice is None:
            return
        editing.remember(voice, now.frames(heard))
        voice.said = ""
        if self.job.spoken is not None:
            spoken_markers.keep(voice, self.job.spoken, self.job.request.frame_times, heard.frame_times)
        self._said += [capitalised(sentence) for sentence in editing.mark(scene, character, voice)]

    def _write(self, context: bpy.types.Context, now: strip_frames.Followed) -> Slices[str]:
        """Writes keys and picture; scene and character are looked for again after each step, as an undo frees them."""
        plan, curves, made = self.plan, self.job.curves, []
        square = CropPlane(plan.width, curves.image_size)
        self._said = []
        if plan.rigged:
            made.append((yield from self._animate_rig(now)))
        if plan.use_curves:
            made.append((yield from self._animate_landmarks(context, square, now)))
        scene, chosen = orders.character_of(plan.order)
        rig = rig_of(scene, chosen)
        if self._pictures is not None:
            earlier = plane_of(scene, chosen)
            sequence = self._pictures.folder.publish(bpy.data.filepath)
            is_lit = chosen.shading == "LIT"
            plane = texture_plane.write(scene, earlier, PLANE_NAME, square, sequence, is_lit=is_lit)
            if plane != earlier:
                plane.location = (0.0, 0.0, 0.0) if plan.use_curves else plan.place
                plane.parent = rig if plan.use_curves else None
                self.made.append(plane.name)
            chosen.plane = plane
            made.append(words.fill("{0} pictures on {1}", len(now.scene_frames), plane.name))
        if now.missing_count:
            self._said.append(
                words.fill(
                    "{0} has become longer while it was heard: {1} of its frames have nothing yet; generate again",
                    plan.order.strip,
                    now.missing_count,
                )
            )
        listed = "".join(made[:1])
        for other in made[1:]:
            listed = words.fill("{0} and {1}", listed, other)
        return words.fill("Made {0}, where the strip is now" if now.is_moved else "Made {0}", listed)

    def _animate_landmarks(
        self, context: bpy.types.Context, square: CropPlane, now: strip_frames.Followed
    ) -> Slices[str]:
        """Keys the landmark armature, and returns how many frames have keys."""
        plan, curves = self.plan, self.job.curves
        scene, chosen = orders.character_of(plan.order)
        saved_keys.check_scene(scene)
        rig = rig_of(scene, chosen)
        if rig is None:
            rig = landmark_rig.create_rig(context, scene, RIG_NAME, curves.neutral, square)
            rig.location = plan.place
            chosen.rig = rig
            self.made.append(rig.name)
        manner, owner, voice = manner_of(chosen.keys), Reference.to(rig), plan.order.voice
        wanted, motion = yield from landmark_keys.motion_steps(rig, curves, square, voice, manner.policy)
        rig, values = owner.find(), now.values(motion)
        request = keyframes.Request(rig, voice, now.scene_frames, wanted, values, rig.name, manner)
        written = yield from keyframes.write_steps([request])
        rig = owner.find()
        found = saved_keys.count(rig, voice, now.scene_frames, wanted)
        said = [*written[0].sentences(rig.name), *([found.reason] if found.reason else [])]
        self._said += [capitalised(sentence) for sentence in said]
        return words.fill("keys on {0} frames of {1}", found.frame_count, rig.name)

    def _animate_rig(self, now: strip_frames.Followed) -> Slices[str]:
        """Keys the chosen rig, and returns what moves in the evaluated scene."""
        plan, curves = self.plan, self.job.rig
        scene, chosen = orders.character_of(plan.order)
        mapping, character = self._mapping, self._read_rig(chosen)
        if curves is None or mapping is None:
            raise errors.SpeechFaceError("the backend sent no curves for the character; read its log")
        if self.job.landmarks is not None and plan.surface is not None:
            face_landmarks.store_found(chosen.rigging, character, plan.surface, self.job.landmarks)
        result = yield from character_keys.write_steps(
            scene,
            character,
            mapping.channels,
            now.values(curves.weights),
            plan.order.voice,
            now.scene_frames,
            manner_of(chosen.keys),
        )
        said = list(result.sentences)
        if curves.residual is not None and (far := float(curves.residual.mean())) > _FAR:
            said.append(
                words.fill(
                    "the shape keys of {0} come no nearer to the motion than {1:.2f} eye distances; see whether its "
                    "mouth moves as it should",
                    plan.rigged,
                    far,
                )
            )
        self._said += [capitalised(sentence) for sentence in said]
        return words.fill(
            "keys on {0} frames of {1} channels of {2}, of which {3} move",
            result.frame_count,
            result.channel_count,
            plan.rigged,
            result.moving_count,
        )

    def _read_rig(self, chosen: SPEECHFACE_Character) -> characters.Character:
        picked = chosen.rigging.character or bpy.data.objects.get(self.plan.rigged)
        if picked is None or picked.name != self.plan.rigged:
            raise errors.SpeechFaceError(f"the rig {self.plan.rigged!r} is gone; generate the face again")
        return characters.read(picked)

    def _look(self, found: protocol.MeshLandmarks) -> tuple[str, protocol.RigFace]:
        """What the channels of the rig do to the landmarks that were found on it."""
        _, chosen = orders.character_of(self.plan.order)
        surface = self.plan.surface
        if surface is None:
            raise errors.SpeechFaceError(f"the rig {self.plan.rigged!r} was not read; generate the face again")
        self._mapping, face = face_surface.measure(bpy.context, self._read_rig(chosen), chosen.rigging, surface, found)
        return rigging.text_of(self._mapping), face


def _range(scene_frames: NDArray[np.int64]) -> range:
    return range(int(scene_frames[0]), int(scene_frames[-1]) + 1)


def begin(context: bpy.types.Context, order: Order) -> Generation:
    """Reads the scene and starts a generation, which the session holds until `end`.

    Raises:
        SpeechFaceError: something is missing or unusable, or the backend cannot be started.
    """
    return start(context, *slices.exhaust(orders.prepare(context, order)))


def start(context: bpy.types.Context, plan: Plan, request: JobRequest) -> Generation:
    """Starts a generation of what was read.

    Raises:
        SpeechFaceError: the backend cannot be started.
    """
    session.notes, session.failure = [], ""
    session.generation = Generation(plan, request, session, backend_settings(context))
    return session.generation


def end(context: bpy.types.Context) -> Generator[None, None, str]:
    """Ends the session's generation or search and writes its results in steps; see `Generation.finish`."""
    generation = session.generation
    if generation is None:
        raise errors.Cancelled
    try:
        sentence = yield from _unless_cancelled(generation, generation.finish(context))
        generation.job.forget_results()
    finally:
        session.generation = None
        generation.discard()
    made = [bpy.data.objects[name] for name in generation.made]
    if context.scene.session_uid == generation.plan.order.scene and scene_settings(context.scene).is_presented:
        placement.present(context, made)
    return sentence


def _unless_cancelled(generation: Run, finishing: Generator[float | None, None, str]) -> Generator[None, None, str]:
    """The steps of `finishing`; a cancel between two of them takes back what was made.

    Raises:
        Cancelled: it was cancelled.
    """
    while True:
        try:
            next(finishing)
        except StopIteration as ended:
            return ended.value
        if generation.job.wants_cancel:
            finishing.close()
            _take_back([made for name in generation.made if (made := bpy.data.objects.get(name)) is not None])
            raise errors.Cancelled
        yield


def _take_back(made: list[bpy.types.Object]) -> None:
    """Deletes objects, and what they alone used: their data, and the shapes of their bones."""
    bones = [bone for one in made if one.pose is not None for bone in one.pose.bones]
    shapes = list({bone.custom_shape for bone in bones if bone.custom_shape is not None})
    data = [one.data for one in (*made, *shapes)]
    bpy.data.batch_remove(made)
    bpy.data.batch_remove([shape for shape in shapes if not shape.users])
    bpy.data.batch_remove([item for item in data if not item.users])


def end_at_once(context: bpy.types.Context) -> str:
    """As `end`, in one step."""
    return slices.exhaust(end(context))
