# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Looks for the landmarks of the chosen character alone, so that they can be seen and corrected before Generate."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from .. import orders, words
from .._shared import errors
from ..job import AnimationJob
from ..job_request import JobRequest
from ..orders import Order
from ..preferences import settings as backend_settings
from ..properties import active_character
from ..search import Search
from ..session import Session, session
from ..speakers.sound_file import SAMPLE_RATE
from . import character as characters
from . import face_landmarks, face_surface, rigging

UNSURE = 0.5  # confidence below which a landmark should be looked at


def disabled_reason(context: bpy.types.Context) -> str:
    """Why landmarks cannot be looked for now, as a sentence; empty when they can."""
    character = active_character(context.scene)
    rig = character.rigging if character is not None else None
    if session.generation is not None or session.orders:
        return words.fill("Wait until the face is generated, or cancel it")
    if rig is None or rig.character is None:
        return words.fill("Choose a character first")
    if rig.problem:
        return rig.problem[:1].upper() + rig.problem[1:]
    if not rigging.is_solved(rig):
        return words.fill(
            "The names of its channels are known, so no landmarks are needed; choose the method By Shape to use them"
        )
    return ""


@dataclass(frozen=True)
class SearchPlan:
    """What a search is for.

    Attributes:
        order: the character; it has no strip.
    """

    order: Order


class LandmarkSearch(Search):
    """One run: from the meshes of a character to its landmarks in the scene's settings.

    Args:
        context: Blender's context.
        owner: has the connection.

    Raises:
        SpeechFaceError: the character shows no face, or the backend cannot be started.
    """

    def __init__(self, context: bpy.types.Context, owner: Session) -> None:
        chosen = active_character(context.scene)
        character = characters.read(chosen.rigging.character)
        self.plan = SearchPlan(Order(context.scene.session_uid, chosen.token, chosen.name, "", character.object.name))
        self.made: list[str] = []  # no objects
        self._surface = face_surface.surface(context, character)
        request = JobRequest(
            speech=np.empty(0, np.float32),
            sample_rate=SAMPLE_RATE,
            frame_times=np.empty(0),
            mesh=(self._surface.vertices, self._surface.triangles),
        )
        client = owner.connect(backend_settings(context))
        self.job = AnimationJob(request, client, lambda frames: None, owner.keep_backend)

    def finish(self, context: bpy.types.Context) -> Generator[None, None, str]:
        """Keeps what was found, in one step, and returns one sentence for the user.

        Raises:
            Cancelled: the job was cancelled.
            SpeechFaceError: the job failed, or the character is gone or was changed meanwhile.
        """
        self.check()
        if self.job.landmarks is None:
            raise errors.SpeechFaceError("the backend sent no landmarks; read its log")
        name = self.plan.order.strip
        rig = orders.character_of(self.plan.order)[1].rigging
        if rig.character is None or rig.character.name != name:
            raise errors.SpeechFaceError(f"the rig {name!r} was exchanged meanwhile; press Find Landmarks again")
        character = characters.read(rig.character)
        if face_surface.surface(context, character).firsts != self._surface.firsts:
            raise errors.SpeechFaceError(f"the meshes of {name!r} were changed meanwhile; press Find Landmarks again")
        face_landmarks.store(rig, character, self._surface, self.job.landmarks)
        rig.show_landmarks = True
        unsure = int((self.job.landmarks.confidence < UNSURE).sum())
        yield
        if unsure:
            return words.fill("Found the landmarks of {0}; {1} of 68 are unsure, look at them first", name, unsure)
        return words.fill("Found the landmarks of {0}", name)


def begin(context: bpy.types.Context) -> LandmarkSearch:
    """Starts a search, which the session holds until `generation.end`.

    Raises:
        SpeechFaceError: the character shows no face, or the backend cannot be started.
    """
    if reason := disabled_reason(context):
        raise errors.SpeechFaceError(reason)
    session.notes, session.failure = [], ""
    session.generation = LandmarkSearch(context, session)
    return session.generation
