"""Follows one generation from its request to its results.

A state machine over the messages of one generation: wait for the backend, adapt the identity, animate. `tick` takes one
step and returns at once; a window calls it from a timer, everything else calls `run_until_done`. Results carry
sequence numbers, so nothing is lost when the connection breaks and returns. No bpy here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ._shared import errors, motion_controls, notes, pause, protocol
from .client import Client
from .result_order import ResultOrder, Verdict

SENDING = "sending"  # the stage; its steps are megabytes
STARTUP_SECONDS = 120.0  # importing torch from a cold disk
LOST_SECONDS = 60.0  # the longest wait for a lost connection


class JobState(StrEnum):
    """What a job is doing."""

    WAITING = "waiting for the backend"
    ADAPTING = "learning the face"
    ANIMATING = "animating"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class JobRequest:
    """The inputs and settings of one generation.

    Attributes:
        speech: samples f32 (S,), mono, beyond [-1, 1] where the sound is.
        sample_rate: Hz.
        frame_times: f64 (T,) seconds within `speech`.
        images: u8 (H, W, 3 or 4) each, of one face.
        files: u8 (N,) each, the bytes of image files of the same face; 1 to 20 in all, or none for the mean face.
        names: of the images, then of the files, for sentences.
        epochs: of fine-tuning.
        seed: of all randomness.
        wants_blink: whether the eyes blink.
        wants_texture: whether pictures are rendered.
        controls: how the motion is shaped.
    """

    speech: NDArray[np.float32]
    sample_rate: int
    frame_times: NDArray[np.float64]
    images: tuple[NDArray[np.uint8], ...] = ()
    files: tuple[NDArray[np.uint8], ...] = ()
    names: tuple[str, ...] = ()
    epochs: int = 10
    seed: int = 0
    wants_blink: bool = True
    wants_texture: bool = True
    controls: motion_controls.MotionControls = motion_controls.UNTOUCHED


class AnimationJob:
    """One generation from request to results.

    Args:
        request: what to make.
        client: the connection; shared with later jobs, so the job does not close it.
        on_frames: receives rendered pictures u8 (n, H, W, 4) in order.
        keep_backend: starts a backend that has ended again, and raises SpeechFaceError when it cannot.
    """

    def __init__(
        self,
        request: JobRequest,
        client: Client,
        on_frames: Callable[[NDArray[np.uint8]], None],
        keep_backend: Callable[[], None] = lambda: None,
    ) -> None:
        self.request = request
        self.state = JobState.WAITING
        self.stage = ""
        self.step = 0
        self.steps = 0
        self.seconds_left: float | None = None
        self.queue_position = 0
        self.curves: protocol.LandmarkCurves | None = None
        self.frame_count = 0
        self.seconds: dict[str, float] = {}
        self.notes: list[notes.Note] = []
        self.error: errors.SpeechFaceError | None = None
        self._client = client
        self._on_frames = on_frames
        self._keep_backend = keep_backend
        self._job_id = ""
        self._order = ResultOrder()
        self._sent: protocol.Message | None = None
        self._sent_at = 0.0
        self._is_attached = False
        self._is_resent = False
        self._wants_cancel = False
        self._was_ready = client.is_ready

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, well or badly."""
        return self.state in _OVER

    @property
    def fraction(self) -> float:
        """How much of the current stage is done, 0 to 1."""
        return min(self.step / self.steps, 1.0) if self.steps else 0.0

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

    def run_until_done(self, timeout: float | None = None) -> None:
        """Ticks until the job is over.

        Args:
            timeout: seconds after which the job is cancelled and failed; None for no limit.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_over:
            self.tick()
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
            self._resume()
        else:
            self._is_attached = self._is_resent = False
            self._check_patience()
        self._show_upload()
        for message in messages:
            if not self.is_over:
                self._take(message)

    def _resume(self) -> None:
        """Sends the first request, or attaches to the running job on a new connection."""
        if self.state is JobState.WAITING:
            if self.request.images or self.request.files:
                self._begin(
                    JobState.ADAPTING,
                    protocol.AdaptRequest(
                        job=protocol.new_id(),
                        images=self.request.images,
                        files=self.request.files,
                        epochs=self.request.epochs,
                        seed=self.request.seed,
                        names=self.request.names,
                    ),
                )
            else:
                self._animate(identity="")
        elif not self._is_attached:
            self._order.restart()
            self._attach()

    def _begin(self, state: JobState, message: protocol.Message) -> None:
        self.state, self.stage, self.step, self.steps, self.seconds_left = state, "", 0, 0, None
        self._job_id, self._order, self.queue_position = message.job, ResultOrder(), 0
        self._sent, self._is_attached, self._is_resent = message, True, False
        self._upload(message)

    def _upload(self, message: protocol.Message) -> None:
        self._sent_at = time.monotonic()
        self._client.send(message)
        self._show_upload()

    def _show_upload(self) -> None:
        """Shows how much of a large request was sent, or that it waits, as a stage of its own."""
        upload = self._client.upload(self._sent.id) if self._sent is not None else None
        if upload is not None:
            sent, total = upload
            seconds = time.monotonic() - self._sent_at
            is_paused = self._client.is_upload_paused
            self.stage = pause.STAGE if is_paused else SENDING
            self.step, self.steps = sent // 1_000_000, max(1, total // 1_000_000)
            self.seconds_left = seconds * (total - sent) / sent if sent and seconds > 1 and not is_paused else None
        elif self.stage in (SENDING, pause.STAGE):
            self.stage, self.step, self.steps, self.seconds_left = "", 0, 0, None

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
                speech=request.speech,
                frame_times=request.frame_times,
                **asdict(request.controls),
            ),
        )

    def _attach(self) -> None:
        """Asks for the results that did not arrive yet."""
        self._is_attached = True
        self._client.send(protocol.Attach(job=self._job_id, received=self._order.received))

    def _check_patience(self) -> None:
        patience = LOST_SECONDS if self._was_ready else STARTUP_SECONDS
        if self._client.seconds_unready > patience:
            reason = f" ({self._client.last_error.sentence})" if self._client.last_error else ""
            raise errors.SpeechFaceError(
                f"the backend has not answered for {patience:.0f} s{reason}; read its log or restart it",
                code=errors.ErrorCode.BACKEND_UNREACHABLE,
            )

    def _take(self, message: protocol.Message) -> None:
        is_refusal = isinstance(message, protocol.Failed) and self._sent is not None and message.parent == self._sent.id
        if message.job != self._job_id and not is_refusal:
            return
        if not self._is_next(message):
            return
        match message:
            case protocol.Accepted():
                self.queue_position = message.position
            case protocol.Progress():
                self.queue_position = 0
                self.stage, self.step, self.steps = message.stage, message.step, message.steps
                self.seconds_left = message.seconds_left
            case protocol.Adapted():
                self.notes += message.notes
                self._animate(message.identity)
            case protocol.LandmarkCurves():
                self._take_curves(message)
            case protocol.TextureFrames():
                self._take_frames(message)
            case protocol.Done():
                self._finish(message)
            case protocol.Cancelled():
                self.state = JobState.CANCELLED
            case protocol.Failed():
                self._take_failure(message)

    def _is_next(self, message: protocol.Message) -> bool:
        """Whether a result is the next one; asks for one that was lost."""
        if not message.sequence:
            return True
        verdict = self._order.judge(message.sequence)
        if verdict is Verdict.ASK:
            self._attach()
        return verdict is Verdict.TAKE

    def _take_curves(self, curves: protocol.LandmarkCurves) -> None:
        expected = len(self.request.frame_times)
        if len(curves.landmarks) != expected:
            raise errors.ShapeError(
                f"expected landmarks of {expected} frames, the backend sent {len(curves.landmarks)}"
            )
        self.curves = curves

    def _take_frames(self, message: protocol.TextureFrames) -> None:
        if message.first_frame != self.frame_count:
            raise errors.ShapeError(
                f"expected picture {self.frame_count} next, the backend sent picture {message.first_frame}"
            )
        self._on_frames(message.frames)
        self.frame_count += len(message.frames)

    def _take_failure(self, failed: protocol.Failed) -> None:
        if failed.code is errors.ErrorCode.UNKNOWN_JOB and self._sent is not None and not self._is_resent:
            self._is_resent = True  # the connection broke before the request had arrived
            self._client.withdraw(self._sent.id)
            self._upload(self._sent)
            return
        self._job_id = ""  # over; nothing to cancel
        raise errors.SpeechFaceError(failed.sentence, code=failed.code, detail=failed.detail)

    def _finish(self, done: protocol.Done) -> None:
        """Accepts the end only if everything was received that was asked for and that the backend has counted."""
        if self.state is JobState.ADAPTING:
            raise errors.SpeechFaceError("the backend ended without a learnt face; read its log")
        frames, curves = len(self.request.frame_times), self.curves
        wanted = frames if self.request.wants_texture else 0
        if curves is None or (self.frame_count, done.texture_count, done.frame_count) != (wanted, wanted, frames):
            raise errors.SpeechFaceError(
                f"the backend ended after {self.frame_count} of {wanted} pictures "
                f"(it counts {done.texture_count}) and {'no' if curves is None else done.frame_count} of {frames} "
                "frames of motion; generate again, and read its log if it stays"
            )
        self.seconds = dict(done.seconds)
        self.notes += done.notes
        self.state = JobState.DONE

    def _cancel_remote(self) -> None:
        if self._sent is not None:
            self._client.withdraw(self._sent.id)
        if self._job_id:
            self._client.cancel(self._job_id)

    def _fail(self, error: errors.SpeechFaceError) -> None:
        self.error = error
        self.state = JobState.FAILED
