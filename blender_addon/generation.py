# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Carries out orders, one after the other, and turns the results into armature, keys and picture.

Everything is read from the scene before a job begins and written into it after the job has succeeded, so a job that is
cancelled or fails does not change the scene, and one undo step removes a finished one. In between only names are kept,
never datablocks.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from . import (
    cast,
    character_keys,
    face_surface,
    keyframes,
    landmark_rig,
    orders,
    rigging,
    saved_keys,
    sound_strip,
    texture_plane,
)
from . import character as characters
from ._shared import errors, notes, protocol
from .coordinates import CropPlane
from .job import AnimationJob, JobRequest, JobState
from .orders import Order, Plan, capitalised
from .png_writer import FrameFolder
from .preferences import settings as backend_settings
from .properties import SPEECHFACE_Character
from .session import Session, session

RIG_NAME = "Speech Face"
PLANE_NAME = "Speech Face Picture"
_FAR = 0.05  # eye distances; a solved face that stays so far from the motion is looked at
_OF_THE_SOUND = (notes.NoteCode.SCALED_SOUND, notes.NoteCode.NO_SPEECH)  # which the backend hears without its file


def _named(note: notes.Note, sound_name: str) -> notes.Note:
    is_of_sound = note.code in _OF_THE_SOUND and not note.about
    return notes.Note(note.code, note.sentence, sound_name) if is_of_sound else note


class Generation:
    """One run: from the scene to its results in the scene."""

    def __init__(self, plan: Plan, request: JobRequest, owner: Session, settings: object) -> None:
        self.plan = plan
        self._owner = owner
        self._said: list[str] = []  # of the character
        self._mapping = plan.mapping
        client = owner.connect(settings)
        self._folder = FrameFolder(plan.pictures, plan.order.strip) if plan.use_texture else None
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
        scene, character = orders.character_of(self.plan.order)
        sentence = self._write(context, scene, character)
        said = [*self.plan.sound_notes, *(_named(note, self.plan.sound_name) for note in self.job.notes)]
        self._owner.notes = [str(note) if note.about else capitalised(note.sentence) for note in said]
        self._owner.notes += self._said
        return sentence

    def _keep(self, frames: NDArray[np.uint8]) -> None:
        if self._folder is not None:
            self._folder.write(frames)

    def _write(self, context: bpy.types.Context, scene: bpy.types.Scene, chosen: SPEECHFACE_Character) -> str:
        plan, curves = self.plan, self.job.curves
        if curves is None:
            raise errors.SpeechFaceError("the backend sent no curves; read its log")
        saved_keys.check_scene(scene)
        square = CropPlane(plan.width, curves.image_size)
        self._keep_voice(chosen)
        made = [self._animate_rig(scene, chosen)] if plan.rigged else []
        if plan.use_curves:
            rig = chosen.rig
            if not landmark_rig.is_rig(rig) or rig.name not in scene.objects:
                rig = landmark_rig.create_rig(context, scene, RIG_NAME, square.to_metres(curves.neutral), plan.width)
            locations = square.to_metres(curves.landmarks) - landmark_rig.rest_positions(rig)
            values = locations.reshape(len(locations), -1)
            written = keyframes.write(rig, plan.voice, plan.scene_frames, landmark_rig.curves(), values)
            found = saved_keys.count(rig, plan.voice, plan.scene_frames, landmark_rig.curves())
            said = [*written.sentences(rig.name), *([found.reason] if found.reason else [])]
            self._said += [capitalised(sentence) for sentence in said]
            chosen.rig = rig
            made.append(f"keys on {found.frame_count} frames of {rig.name}")
        if self._folder is not None:
            frames = range(int(plan.scene_frames[0]), int(plan.scene_frames[-1]) + 1)
            earlier = chosen.plane if chosen.plane and chosen.plane.name in scene.objects else None
            plane = texture_plane.write(scene, earlier, PLANE_NAME, square, self._folder.publish(), frames)
            if plane != earlier and plan.use_curves:
                plane.parent = chosen.rig
            chosen.plane = plane
            made.append(f"{len(frames)} pictures on {plane.name}")
        return f"Made {' and '.join(made)}"

    def _keep_voice(self, chosen: SPEECHFACE_Character) -> None:
        """Makes sure that the strip is in the character's list, so that the next bake of it replaces this one."""
        place = bpy.data.scenes.get(self.plan.order.place)
        if place is not None:
            strip = sound_strip.find(place, self.plan.order.strip)
            cast.add_voice(chosen, place, strip, self.plan.voice)

    def _animate_rig(self, scene: bpy.types.Scene, chosen: SPEECHFACE_Character) -> str:
        """Keys the chosen rig, and returns what moves in the evaluated scene."""
        plan, curves = self.plan, self.job.rig
        mapping, character = self._mapping, self._read_rig(chosen)
        if curves is None or mapping is None:
            raise errors.SpeechFaceError("the backend sent no curves for the character; read its log")
        result = character_keys.write(
            scene,
            character,
            mapping.channels,
            curves.weights,
            plan.voice,
            plan.scene_frames,
            keyframes.Manner(is_nla=chosen.rigging.use_nla),
        )
        said = list(result.sentences)
        if curves.residual is not None and (far := float(curves.residual.mean())) > _FAR:
            said.append(
                f"the shape keys of {plan.rigged} come no nearer to the motion than {far:.2f} eye distances; see "
                "whether its mouth moves as it should"
            )
        self._said += [capitalised(sentence) for sentence in said]
        return (
            f"keys on {result.frame_count} frames of {result.channel_count} channels of {plan.rigged}, of "
            f"which {result.moving_count} move"
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


def begin(context: bpy.types.Context, order: Order) -> Generation:
    """Reads the scene and starts a generation, which the session holds until `end`.

    Raises:
        SpeechFaceError: something is missing or unusable, or the backend cannot be started.
    """
    plan, request = orders.prepare(context, order)
    session.notes, session.failure = [], ""
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
