# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the pictures of a character again from its landmark armature as it is posed now.

Whatever moves the bones counts: keys that an artist changed, NLA layers, constraints, drivers. Only frames that have a
picture get a new one; all others keep theirs.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import orders, stages, words
from .._shared import errors
from ..coordinates import CropPlane
from ..job import AnimationJob, JobState
from ..job_request import JobRequest
from ..orders import Order, capitalised
from ..preferences import settings as backend_settings
from ..properties import active_character
from ..rigs import landmark_rig
from ..session import Session, session
from ..slices import Sliced, Slices
from ..speakers import photo_landmarks, reference_images
from ..speakers.face_choice import FROM_PICTURES
from ..speakers.sound_file import SAMPLE_RATE
from . import picture_places, texture_plane
from .incoming_pictures import TICK_SECONDS, IncomingPictures, plane_of, rig_of, run_until_done
from .picture_folder import PictureFolder


def disabled_reason(context: bpy.types.Context) -> str:
    """Why pictures cannot be drawn again, as a sentence; empty when they can."""
    character = active_character(context.scene)
    if session.generation is not None or session.orders:
        return words.fill("Wait until the face is generated, or cancel it")
    if character is None or plane_of(context.scene, character) is None:
        return words.fill("There are no pictures yet; press Generate")
    if rig_of(context.scene, character) is None:
        return words.fill("There are no landmark curves to draw from; tick Landmark Curves and press Generate")
    if character.face_source != photo_landmarks.LEARNT and not character.images:
        return words.fill("The photos are gone from the list; add them again")
    return photo_landmarks.reason_against(character)


def frames_of(context: bpy.types.Context, first: int | None = None, last: int | None = None) -> list[int]:
    """The scene frames that are drawn again: those with a picture, within the range.

    Without a range of its own that is the scene's preview range, if it is used.

    Raises:
        SpeechFaceError: no frame within the range has a picture.
    """
    scene = context.scene
    if first is None and last is None and scene.use_preview_range:
        first, last = scene.frame_preview_start, scene.frame_preview_end
    sequence = texture_plane.sequence_of(plane_of(scene, active_character(scene)))
    frames = [frame for frame in sequence.frames if sequence.strip_at(frame)] if sequence is not None else []
    least, most = (frames[0] if first is None else first), (frames[-1] if last is None else last)
    wanted = [frame for frame in frames if least <= frame <= most]
    if not wanted:
        raise errors.SpeechFaceError(f"no frame from {least} to {most} has a picture; choose other frames")
    return wanted


@dataclass(frozen=True)
class RedrawPlan:
    """What is drawn again.

    Attributes:
        order: the character; it has no strip.
        frames: scene frames, ascending.
    """

    order: Order
    frames: list[int]


class PoseReading:
    """The first stage: reads the poses, and looks to panels like a job.

    Args:
        slices: yields the share that is done, and returns landmarks (T, 68, 2).
        count: of frames.
    """

    queue_position, seconds_left, stage = 0, None, stages.READING_POSES
    frame_count = 0

    def __init__(self, slices: Slices[NDArray[np.float32]], count: int) -> None:
        self.sliced, self.steps = Sliced(slices), count
        self.state, self.error = JobState.WAITING, None

    @property
    def step(self) -> int:
        """How many frames are read."""
        return round(self.fraction * self.steps)

    @property
    def fraction(self) -> float:
        """The share that is read."""
        return self.sliced.done

    @property
    def is_over(self) -> bool:
        """Whether it was cancelled or has failed."""
        return self.state in (JobState.CANCELLED, JobState.FAILED)

    def cancel(self) -> None:
        """Ends it."""
        self.sliced.cancel()
        self.state = JobState.CANCELLED

    def tick(self) -> None:
        """Reads for a moment."""
        try:
            if not self.is_over:
                self.sliced.step(TICK_SECONDS)
        except errors.SpeechFaceError as error:
            self.error, self.state = error, JobState.FAILED


class Redrawing:
    """One run: from the posed armature to new pictures on the plane.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """

    def __init__(self, context: bpy.types.Context, owner: Session, frames: list[int]) -> None:
        scene, character = context.scene, active_character(context.scene)
        order = Order(scene.session_uid, character.token, character.name, "", words.fill("Render Again"))
        self.plan = RedrawPlan(order, frames)
        self.made: list[str] = []  # no objects
        self._owner, self._settings = owner, backend_settings(context)
        self._width = plane_of(scene, character).dimensions.x / max(plane_of(scene, character).scale.x, 1e-9)
        self._photos: reference_images.ReferencePictures | None = None
        self._choice = FROM_PICTURES
        self._epochs, self._size = character.epochs, int(character.size)
        folder = PictureFolder(picture_places.place(context), character.name)
        self._pictures = IncomingPictures(folder, self.plan.order, frames, self._width)
        self.job: AnimationJob | PoseReading = PoseReading(self._inputs(), len(frames))

    def _inputs(self) -> Slices[NDArray[np.float32]]:
        """Reads the photos, then the poses."""
        order = self.plan.order
        count = len(photo_landmarks.photos_of(orders.character_of(order)[1]))
        reading = reference_images.read_all(count, lambda index: orders.image_at(order, index))
        while self._photos is None:
            try:
                next(reading)
            except StopIteration as ended:
                self._photos = ended.value
            yield 0.0
        self._choice = photo_landmarks.choice_of(orders.character_of(order)[1], self._photos)
        return (yield from self._poses())

    @property
    def is_over(self) -> bool:
        """Whether all has ended and all pictures are written."""
        return self.job.is_over if isinstance(self.job, PoseReading) else self._pictures.is_over(self.job)

    def tick(self, budget: float | None = TICK_SECONDS) -> None:
        """Takes a step."""
        if not isinstance(self.job, PoseReading):
            self._pictures.carry_on(self.job, budget)
            return
        self.job.tick()
        if self.job.sliced.is_over and not self.job.is_over:
            self._begin(self.job.sliced.result)

    def run_until_done(self, timeout: float | None = None) -> None:
        """Ticks until it is over; see `AnimationJob.run_until_done`."""
        while isinstance(self.job, PoseReading) and not self.job.is_over:
            self.tick()
        if isinstance(self.job, AnimationJob):
            run_until_done(self.job, self.tick, timeout)

    def discard(self) -> None:
        """Cancels what runs, and deletes pictures that are not in use."""
        if not self.job.is_over:
            self.job.cancel()
            self.job.tick()
        self._pictures.discard()

    def finish(self, context: bpy.types.Context) -> Generator[None, None, str]:
        """Shows the new pictures, in steps, and returns one sentence for the user.

        Raises:
            Cancelled: it was cancelled.
            SpeechFaceError: it failed, or the plane is gone.
        """
        if self.job.state is JobState.CANCELLED:
            raise errors.Cancelled
        if self.job.error is not None:
            raise self.job.error
        earlier = texture_plane.sequence_of(self._plane()[1])
        if earlier is None:
            raise errors.SpeechFaceError("the picture is gone; press Generate")
        shown = [frame for frame in self.plan.frames if frame in earlier.frames]
        if len(shown) != len(self.plan.frames):
            raise errors.SpeechFaceError("the strips were generated anew meanwhile; render again")
        yield from self._pictures.folder.arrange_again(self.plan.frames, earlier)
        scene, plane = self._plane()
        sequence = self._pictures.folder.publish(bpy.data.filepath)
        texture_plane.write(scene, plane, plane.name, CropPlane(self._width), sequence)
        self._owner.notes = [capitalised(note.sentence) for note in self.job.notes]
        return words.fill("Made {0} pictures anew on {1}", len(shown), plane.name)

    def _plane(self) -> tuple[bpy.types.Scene, bpy.types.Object]:
        scene, character = orders.character_of(self.plan.order)
        if (plane := plane_of(scene, character)) is None:
            raise errors.SpeechFaceError("the picture is gone; press Generate")
        return scene, plane

    def _poses(self) -> Slices[NDArray[np.float32]]:
        """Reads where the bones are, in pixels of the crop; the scene's frame is put back after each slice."""
        square, read = CropPlane(self._width), []
        for number, frame in enumerate(self.plan.frames):
            scene, character = orders.character_of(self.plan.order)
            if (rig := rig_of(scene, character)) is None:
                raise errors.SpeechFaceError("the landmark armature is gone; press Generate")
            before, part = scene.frame_current, scene.frame_subframe
            scene.frame_set(frame)
            read.append(landmark_rig.posed(scene, rig))
            scene.frame_set(before, subframe=part)
            yield number / len(self.plan.frames)
        return square.to_pixels(np.array(read)).astype(np.float32)

    def _begin(self, points: NDArray[np.float32]) -> None:
        """Goes on with the pictures."""
        request = JobRequest(
            speech=np.empty(0, np.float32),
            sample_rate=SAMPLE_RATE,
            frame_times=np.empty(0),
            images=self._photos.images,
            files=self._photos.files,
            names=self._photos.names,
            epochs=self._epochs,
            size=self._size,
            landmarks=points,
            choice=self._choice,
        )
        client = self._owner.connect(self._settings)
        self.job = AnimationJob(request, client, self._pictures.take, self._owner.keep_backend)


def begin(context: bpy.types.Context, first: int | None = None, last: int | None = None) -> Redrawing:
    """Starts to draw again, which the session holds until `generation.end`.

    Raises:
        SpeechFaceError: something is missing or unusable.
    """
    if reason := disabled_reason(context):
        raise errors.SpeechFaceError(reason)
    session.notes, session.failure = [], ""
    session.generation = Redrawing(context, session, frames_of(context, first, last))
    return session.generation
