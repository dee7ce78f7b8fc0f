"""Follows one generation from its request to its results.

Two requests, one after the other: adapt the identity, animate. `tick` takes one step and returns at once; a window
calls it from a timer, everything else calls `run_until_done`. `shared.following` sees to it that nothing is lost when
the connection breaks and returns. No bpy here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ._shared import errors, following, line, notes, pause, protocol
from .client import Client
from .job_request import JobRequest


class JobState(StrEnum):
    """What a job is doing."""

    WAITING = "waiting for the backend"
    LOOKING = "finding the face of the character"
    LOOKING_AT_PHOTOS = "finding the faces in the photos"
    ADAPTING = "learning the face"
    ANIMATING = "animating"
    DRAWING = "drawing the pictures"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_FACE_SEED = 0
_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class AnimationJob:
    """One generation from request to results.

    Args:
        request: what to make.
        client: the connection; shared with later jobs, so the job does not close it.
        on_frames: receives rendered pictures u8 (n, H, W, 4) in order.
        on_landmarks: receives where the landmarks of `mesh` are, and returns its mapping in JSON and what the channels
            do to its face.
        keep_backend: starts a backend that has ended again, and raises SpeechFaceError when it cannot.
    """

    def __init__(
        self,
        request: JobRequest,
        client: Client,
        on_frames: Callable[[NDArray[np.uint8]], None],
        keep_backend: Callable[[], None] = lambda: None,
        on_landmarks: Callable[[protocol.MeshLandmarks], tuple[str, protocol.RigFace]] | None = None,
    ) -> None:
        self.request = request
        self.state = JobState.WAITING
        self.stage = ""
        self.step = 0
        self.steps = 0
        self.seconds_left: float | None = None
        self.queue_position = 0
        self.curves: protocol.LandmarkCurves | None = None
        self.rig: protocol.RigCurves | None = None
        self.spoken: protocol.SpokenWords | None = None
        self.landmarks: protocol.MeshLandmarks | None = None
        self.photos: list[protocol.PhotoLandmarks] = []
        self.seconds: dict[str, float] = {}
        self.notes: list[notes.Note] = []
        self.error: errors.SpeechFaceError | None = None
        self._begun: list[str] = []  # jobs of the backend
        self._client = client
        self._on_frames = on_frames
        self._keep_backend = keep_backend
        self._on_landmarks = on_landmarks
        self._rig = request.rig
        self._face = request.face
        self._following: following.Following | None = None
        self._wants_cancel = False
        self._was_ready = client.is_ready

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, well or badly."""
        return self.state in _OVER

    @property
    def frame_count(self) -> int:
        """How many pictures have come."""
        return self._following.texture_count if self._following is not None else 0

    @property
    def fraction(self) -> float:
        """How much of the current stage is done, 0 to 1."""
        return min(self.step / self.steps, 1.0) if self.steps else 0.0

    @property
    def wants_cancel(self) -> bool:
        """Whether somebody has asked the job to end, perhaps after it was done."""
        return self._wants_cancel

    def cancel(self) -> None:
        """Asks the job to end; the next tick does it."""
        self._wants_cancel = True

    def tick(self) -> None:
        """Takes one step without waiting; every failure ends in `state` and `error`."""
        if self.is_over:
            return
        try:
            self._tick()
        except errors.SpeechFaceError as error:
            self._cancel_remote()  # it may still run there, for example when the disk here is full
            self._fail(error)

    def forget_results(self) -> None:
        """Tells the backend that its results are taken, so that it need not keep them on its disk."""
        for job in self._begun:
            self._client.send(protocol.Cancel(job=job, forgets=True))
        self._begun.clear()

    def abort(self, error: errors.SpeechFaceError) -> None:
        """Ends the job because something here failed, for example the disk is full; nothing else is told of it."""
        self._cancel_remote()
        self._fail(error)

    def run_until_done(self, timeout: float | None = None, step: Callable[[], None] | None = None) -> None:
        """Ticks until the job is over.

        Args:
            timeout: seconds after which the job is cancelled and failed; None for no limit.
            step: taken instead of `tick`, which it calls.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        step = step or self.tick
        while not self.is_over:
            step()
            if deadline is not None and time.monotonic() > deadline and not self.is_over:
                self._cancel_remote()
                self._fail(errors.SpeechFaceError(f"the job took longer than {timeout:g} s; it was cancelled"))
            if not self.is_over:
                self._client.wait(0.02)

    def _tick(self) -> None:
        if self._wants_cancel:
            self._cancel_remote()
            self.state = JobState.CANCELLED
            return
        self._keep_backend()
        messages = self._client.poll()
        if self._client.is_ready:
            self._was_ready = True
            if self._following is None:
                self._begin_first()
        else:
            self._client.check_patience(line.LOST_SECONDS if self._was_ready else line.STARTUP_SECONDS)
        if self._following is not None:
            self._following.step()
        self._show_upload()
        for message in messages:
            taken = None if self.is_over or self._following is None else self._following.take(message)
            if taken is not None:
                self._take(taken)

    def _begin_first(self) -> None:
        if self.request.looks_at_photos:
            self._begin_photos()
            return
        if self.request.mesh is None:
            self._begin_face()
            return
        vertices, triangles = self.request.mesh
        self._begin(
            JobState.LOOKING,
            protocol.FindMeshLandmarks(job=protocol.new_id(), vertices=vertices, triangles=triangles),
        )

    def _begin_photos(self) -> None:
        request = self.request
        self._begin(
            JobState.LOOKING_AT_PHOTOS,
            protocol.FindPhotoLandmarks(
                job=protocol.new_id(),
                images=request.images,
                files=request.files,
                names=request.names,
                chosen=request.choice.chosen,
            ),
        )

    def _begin_face(self) -> None:
        request = self.request
        if request.choice.identity:
            self._use_face(request.choice.identity)
            return
        if not request.images and not request.files:
            self._animate(identity="")
            return
        self._begin(
            JobState.ADAPTING,
            protocol.AdaptRequest(
                job=protocol.new_id(),
                images=request.images,
                files=request.files,
                epochs=request.epochs,
                seed=_FACE_SEED,
                names=request.names,
                landmarks=request.choice.placed,
                chosen=request.choice.chosen,
            ),
        )

    def _begin(self, state: JobState, request: protocol.Request) -> None:
        self.state, self.stage, self.step, self.steps, self.seconds_left = state, "", 0, 0, None
        self.queue_position = 0
        self._begun.append(request.job)
        self._following = following.Following(self._client, request)
        self._following.step()
        self._show_upload()

    def _show_upload(self) -> None:
        """Shows how much of a large request was sent, or that it waits, as a stage of its own."""
        upload = self._following.upload if self._following is not None else None
        if upload is not None:
            self._show(upload)
        elif self.stage in (following.SENDING, pause.STAGE):
            self.stage, self.step, self.steps, self.seconds_left = "", 0, 0, None

    def _show(self, progress: protocol.Progress) -> None:
        self.stage, self.step, self.steps = progress.stage, progress.step, progress.steps
        self.seconds_left = progress.seconds_left

    def _use_face(self, identity: str) -> None:
        if (points := self.request.landmarks) is None:
            self._animate(identity)
            return
        self._begin(
            JobState.DRAWING,
            protocol.RenderRequest(job=protocol.new_id(), identity=identity, size=self.request.size, landmarks=points),
        )

    def _animate(self, identity: str) -> None:
        request = self.request
        self._begin(
            JobState.ANIMATING,
            protocol.AnimateRequest(
                job=protocol.new_id(),
                sample_rate=request.sample_rate,
                identity=identity,
                seed=request.seed,
                wants_blink=request.wants_blink,
                wants_texture=request.wants_texture,
                size=request.size,
                speech=request.speech,
                frame_times=request.frame_times,
                wants_speech=request.wants_speech,
                transcript=request.transcript if request.wants_speech else "",
                rig=self._rig,
                rig_rest=self._face.rest if self._face is not None else None,
                rig_basis=self._face.basis if self._face is not None else None,
                rig_confidence=self._face.confidence if self._face is not None else None,
                **asdict(request.controls),
            ),
        )

    def _take(self, message: protocol.Message) -> None:
        match message:
            case protocol.Accepted():
                self.queue_position = message.position
            case protocol.Progress():
                self.queue_position = 0
                self._show(message)
            case protocol.Adapted():
                self.notes += message.notes
                self._use_face(message.identity)
            case protocol.PhotoLandmarks():
                self.photos.append(message)
            case protocol.MeshLandmarks():
                self.landmarks = message
                if self._on_landmarks is not None:
                    self._rig, self._face = self._on_landmarks(message)
            case protocol.Done() if self.state is JobState.LOOKING and self.request.speech.size:
                self._begin_face()
            case protocol.LandmarkCurves() | protocol.RigCurves() | protocol.SpokenWords():
                self._keep(message)
            case protocol.TextureFrames():
                self._on_frames(message.frames)
            case protocol.Done():
                self.seconds = dict(message.seconds)
                self.notes += message.notes
                self.state = JobState.DONE
            case protocol.Cancelled():
                self.state = JobState.CANCELLED

    def _keep(self, result: protocol.LandmarkCurves | protocol.RigCurves | protocol.SpokenWords) -> None:
        match result:
            case protocol.LandmarkCurves():
                self.curves = result
            case protocol.RigCurves():
                self.rig = result
            case protocol.SpokenWords():
                self.spoken = result

    def _cancel_remote(self) -> None:
        if self._following is not None:
            self._following.cancel()

    def _fail(self, error: errors.SpeechFaceError) -> None:
        self.error = self.request.choice.explained(error)
        self.state = JobState.FAILED
