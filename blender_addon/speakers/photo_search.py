# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Looks in photos for faces and their landmarks, so that these can be seen and corrected before Generate."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import bpy
import numpy as np

from .. import orders, words
from .._shared import errors
from ..job import AnimationJob
from ..job_request import JobRequest
from ..orders import Order
from ..preferences import settings as backend_settings
from ..properties import SPEECHFACE_Character, active_character
from ..rigs.landmark_search import SearchPlan
from ..search import Search
from ..session import Session, session
from ..slices import exhaust
from . import photo_landmarks, reference_images
from .photo_properties import SPEECHFACE_ReferenceImage
from .sound_file import SAMPLE_RATE


def disabled_reason(context: bpy.types.Context) -> str:
    """Why photos cannot be looked at now, as a sentence; empty when they can."""
    character = active_character(context.scene)
    if session.generation is not None or session.orders:
        return words.fill("Wait until the face is generated, or cancel it")
    if character is None or not character.images:
        return words.fill("Add a photo first")
    return ""


class PhotoSearch(Search):
    """One run: from photos of a character to the faces in them.

    Args:
        context: Blender's context.
        owner: has the connection.
        rows: of the photos.

    Raises:
        SpeechFaceError: a photo cannot be read, or the backend cannot be started.
    """

    def __init__(self, context: bpy.types.Context, owner: Session, rows: Sequence[int]) -> None:
        character = active_character(context.scene)
        self.plan = SearchPlan(Order(context.scene.session_uid, character.token, character.name, "", "Photos"))
        self.made: list[str] = []  # no objects
        self._owner = owner
        images = [character.images[row].image for row in rows]
        pictures = exhaust(reference_images.read_all(len(images), images.__getitem__))
        self._rows, self._names = list(rows), pictures.names
        photos = photo_landmarks.in_order([character.images[row] for row in rows], pictures.names)
        request = JobRequest(
            speech=np.empty(0, np.float32),
            sample_rate=SAMPLE_RATE,
            frame_times=np.empty(0),
            images=pictures.images,
            files=pictures.files,
            names=pictures.names,
            choice=photo_landmarks.choice(photos, pictures),
            looks_at_photos=True,
        )
        client = owner.connect(backend_settings(context))
        self.job = AnimationJob(request, client, lambda frames: None, owner.keep_backend)

    def finish(self, context: bpy.types.Context) -> Generator[None, None, str]:
        """Keeps what was found, in one step, and returns one sentence for the user.

        Raises:
            Cancelled: the job was cancelled.
            SpeechFaceError: the job failed, or the photos were changed meanwhile.
        """
        self.check()
        _, character = orders.character_of(self.plan.order)
        rows = [row for row in self._rows if row < len(character.images)]
        photos = photo_landmarks.in_order([character.images[row] for row in rows], self._names)
        for found in self.job.photos:
            if not found.picture < len(photos):
                raise errors.SpeechFaceError("the backend told of more photos than it was asked for; read its log")
            photo = photos[found.picture]
            photo_landmarks.store(photo, found)
            said = [f"{photo.image.name}: {photo.problem}"] if photo.problem else []
            said += [str(photo_landmarks.said_here(note, photo.image.name)) for note in found.notes]
            self._owner.notes += said
        yield
        return _sentence(photos)


def _sentence(photos: Sequence[SPEECHFACE_ReferenceImage]) -> str:
    seen = sum(bool(photo.points) for photo in photos)
    count = len(photos)
    said = words.fill(
        "Found a face in {0} of {1} photo" if count == 1 else "Found a face in {0} of {1} photos", seen, count
    )
    crowded = [photo for photo in photos if len(photo.faces) > 1 and not photo.has_chosen]
    if crowded:
        said = words.fill(
            "{0}; {1!r} shows {2}, and the largest is taken: choose another if it is not the one",
            said,
            crowded[0].image.name,
            len(crowded[0].faces),
        )
    return said


def rows_of(character: SPEECHFACE_Character) -> list[int]:
    """The rows of photos that are looked at together: those without landmarks that were corrected.

    Raises:
        ImageError: there is none.
    """
    filled = [row for row, photo in enumerate(character.images) if photo.image is not None]
    rows = [row for row in filled if not photo_landmarks.corrected_count(character.images[row])]
    if not rows:
        raise errors.ImageError("the landmarks of all photos were corrected; reset those that shall be found again")
    return rows


def begin(context: bpy.types.Context, rows: Sequence[int] | None = None) -> PhotoSearch:
    """Starts to look at photos, which the session holds until `generation.end`.

    Args:
        context: Blender's context.
        rows: of the photos; None for all whose landmarks were not corrected.

    Raises:
        SpeechFaceError: a photo cannot be read, or the backend cannot be started.
    """
    if reason := disabled_reason(context):
        raise errors.SpeechFaceError(reason)
    chosen = rows_of(active_character(context.scene)) if rows is None else rows
    session.notes, session.failure = [], ""
    session.generation = PhotoSearch(context, session, chosen)
    return session.generation
