# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Writes the pictures of a running job to disk as they come, a few in each step, and shows them at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from .. import orders
from .._shared import errors
from ..coordinates import CropPlane
from ..job import AnimationJob, JobState
from ..orders import Order
from ..properties import SPEECHFACE_Character, scene_settings
from ..rigs import landmark_rig
from . import placement, texture_plane
from .live_plane import LivePlane
from .picture_folder import PictureFolder

TICK_SECONDS = 0.03  # for pictures, in one step of a window
_MOST_UNWRITTEN_BYTES = 64 * 1024 * 1024  # of pictures; then no more are taken from the connection


class IncomingPictures:
    """The pictures of one job.

    Args:
        folder: takes them.
        order: whose they are.
        frames: the scene frame of each, ascending.
        width: metres, of the picture.
        place: of its middle, where there is no plane yet.
    """

    def __init__(
        self,
        folder: PictureFolder,
        order: Order,
        frames: Sequence[int],
        width: float,
        place: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        self.folder = folder
        self._order, self._frames, self._width, self._place = order, frames, width, place
        self._unwritten: deque[NDArray[np.uint8]] = deque()
        self._unwritten_bytes = 0
        self._live: LivePlane | None = None

    def take(self, frames: NDArray[np.uint8]) -> None:
        """Receives pictures u8 (n, H, W, 4)."""
        self._unwritten.extend(frames)
        self._unwritten_bytes += frames.nbytes

    def carry_on(self, job: AnimationJob, budget: float | None = TICK_SECONDS) -> None:
        """Takes a step of the job, and writes pictures for so many seconds; None writes all that came.

        A failure to write ends the job.
        """
        if self._unwritten_bytes < _MOST_UNWRITTEN_BYTES:
            job.tick()
        deadline = None if budget is None else time.monotonic() + budget
        try:
            while self._unwritten and job.error is None:
                picture = self._unwritten.popleft()
                self._unwritten_bytes -= picture.nbytes
                self.folder.write(picture[None])
                if deadline is not None and time.monotonic() > deadline:
                    break
        except errors.SpeechFaceError as error:
            self._unwritten.clear()
            job.abort(error)
        if self.folder.count and not job.is_over:
            self._show()

    def is_over(self, job: AnimationJob) -> bool:
        """Whether the job has ended and all its pictures are written."""
        return job.is_over and not (self._unwritten and job.state is JobState.DONE)

    def discard(self) -> None:
        """Shows them no more, and deletes those that are not in use."""
        if self._live is not None:
            self._live.remove()
        self.folder.discard()

    def _show(self) -> None:
        if self._live is None:
            try:
                scene, character = orders.character_of(self._order)
            except errors.SpeechFaceError:
                return
            stands = plane_of(scene, character) or rig_of(scene, character)
            if stands is None and scene_settings(scene).is_presented:
                placement.look_at(bpy.context, scene, self._place, self._width)
            matrix = stands.matrix_world.copy() if stands is not None else Matrix.Translation(self._place)
            self._live = LivePlane(CropPlane(self._width), matrix, self.folder.picture, self._frames, scene.session_uid)
        self._live.add(self.folder.count)


def plane_of(scene: bpy.types.Scene, character: SPEECHFACE_Character) -> bpy.types.Object | None:
    """The plane of a character, if it is in the scene."""
    plane = character.plane
    return plane if texture_plane.is_plane(plane) and plane.name in scene.objects else None


def rig_of(scene: bpy.types.Scene, character: SPEECHFACE_Character) -> bpy.types.Object | None:
    """The landmark armature of a character, if it is in the scene."""
    rig = character.rig
    return rig if landmark_rig.is_rig(rig) and rig.name in scene.objects else None


def run_until_done(job: AnimationJob, step: Callable[[float | None], None], timeout: float | None = None) -> None:
    """Steps with all the time they want until a job is over; see `AnimationJob.run_until_done`."""
    job.run_until_done(timeout, lambda: step(None))
    step(None)  # what came last
