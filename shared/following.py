"""Follows one request from its sending to its last result, over as many connections as it takes.

A request that did not arrive is sent again; on a new connection the results that are missing are asked for. Results
come once and in order, and an end without all of them is a failure. The add-on's generation and the client library's
jobs stand on it. No sockets.
"""

from __future__ import annotations

from . import errors, line, pause, protocol
from .result_order import ResultOrder, Verdict

SENDING = "sending"  # the stage; its steps are megabytes


class Following:
    """One request and what has come of it.

    Args:
        connection: carries it; may carry others.
        request: with a job ID of its own.

    Attributes:
        request: as given.
        texture_count: rendered frames that were taken.
        is_over: whether the last result was taken, or the job has failed.
    """

    def __init__(
        self,
        connection: line.Line,
        request: protocol.Request,
    ) -> None:
        self.request = request
        self.texture_count = 0
        self.is_over = False
        self._line = connection
        self._order = ResultOrder()
        self._has_main_result = False  # the learnt face, the landmarks of a mesh, or the motion
        self._has_rig = False
        self._has_words = False
        self._photo_count = 0
        self._sent_at: float | None = None
        self._is_attached = False
        self._is_resent = False
        self._is_full = False

    def step(self) -> None:
        """Sends the request, or asks for the results that are missing on a new connection; called after each `poll`."""
        if not self._line.is_ready:
            self._is_attached = self._is_resent = False
        elif self._sent_at is None:
            self._send()
        elif not self._is_attached:
            self._order.restart()
            self._attach()

    @property
    def upload(self) -> protocol.Progress | None:
        """How much of a large request was sent, or that it waits, as a stage of its own; None when all was sent."""
        upload = self._line.upload(self.request.id)
        if upload is None or self._sent_at is None:
            return None
        sent, total = upload
        seconds = self._line.clock() - self._sent_at
        is_paused = self._line.is_upload_paused
        return protocol.Progress(
            job=self.request.job,
            stage=pause.STAGE if is_paused else SENDING,
            step=sent // 1_000_000,
            steps=max(1, total // 1_000_000),
            seconds_left=seconds * (total - sent) / sent if sent and seconds > 1 and not is_paused else None,
        )

    def take(self, message: protocol.Message, *, has_room: bool = True) -> protocol.Message | None:
        """The message, if it is of this job and its turn has come; None if it is not to be looked at.

        Args:
            message: that has arrived.
            has_room: whether results can be taken; those that come meanwhile are asked for by `go_on`.

        Raises:
            SpeechFaceError: the job has failed, has ended without all of its results, or one is lost.
        """
        is_refusal = isinstance(message, protocol.Failed) and message.parent == self.request.id
        if self.is_over or (message.job != self.request.job and not is_refusal):
            return None
        if message.sequence and not has_room:
            self._is_full = True
            self._order.pass_over(message.sequence)
            return None
        if not self._is_next(message):
            return None
        match message:
            case protocol.Adapted() | protocol.MeshLandmarks():
                self._has_main_result = True
            case protocol.PhotoLandmarks():
                self._photo_count += 1
            case protocol.LandmarkCurves():
                self._take_curves(message)
            case protocol.RigCurves():
                self._take_rig(message)
            case protocol.SpokenWords():
                self._has_words = True
            case protocol.TextureFrames():
                self._take_frames(message)
            case protocol.Done():
                self._check_end(message)
            case protocol.Failed():
                return self._take_failure(message)
        self.is_over = protocol.is_last(message)
        return message

    def go_on(self) -> None:
        """Asks for the results for which there was no room; does nothing if there were none."""
        if self._is_full and self._line.is_ready:
            self._is_full = False
            self._attach()

    def cancel(self) -> None:
        """Ends the job: nothing more of the request is sent, and the backend is told until it has answered."""
        if self._sent_at is not None and not self.is_over:
            self._line.withdraw(self.request.id)
            self._line.cancel(self.request.job)
        self.is_over = True

    def _send(self) -> None:
        self._sent_at = self._line.clock()
        self._is_attached = True
        self._line.send(self.request)

    def _attach(self) -> None:
        """Asks for the results that did not arrive yet."""
        self._is_attached = True
        self._line.send(protocol.Attach(job=self.request.job, received=self._order.received))

    def _is_next(self, message: protocol.Message) -> bool:
        """Whether a result is the next one; asks for one that was lost."""
        if not message.sequence:
            return True
        verdict = self._order.judge(message.sequence)
        if verdict is Verdict.ASK:
            self._attach()
        return verdict is Verdict.TAKE

    def _take_curves(self, curves: protocol.LandmarkCurves) -> None:
        if len(curves.landmarks) != self._frame_count:
            raise errors.ShapeError(
                f"expected landmarks of {self._frame_count} frames, the backend sent {len(curves.landmarks)}"
            )
        self._has_main_result = True

    def _take_rig(self, curves: protocol.RigCurves) -> None:
        if len(curves.weights) != self._frame_count:
            raise errors.ShapeError(
                f"expected a rig's curves of {self._frame_count} frames, the backend sent {len(curves.weights)}"
            )
        self._has_rig = True

    def _take_frames(self, message: protocol.TextureFrames) -> None:
        if message.first_frame != self.texture_count:
            raise errors.ShapeError(
                f"expected picture {self.texture_count} next, the backend sent picture {message.first_frame}"
            )
        self.texture_count += len(message.frames)

    def _take_failure(self, failed: protocol.Failed) -> None:
        if failed.code is errors.ErrorCode.UNKNOWN_JOB and not self._is_resent:
            self._is_resent = True  # the connection broke before the request had arrived
            self._line.withdraw(self.request.id)
            self._send()
            return
        self.is_over = True
        raise errors.failure(failed.code, failed.sentence, failed.detail)

    def _check_end(self, done: protocol.Done) -> None:
        """Accepts the end only if everything was received that was asked for and that the backend has counted."""
        if isinstance(self.request, protocol.RenderRequest):
            wanted = len(self.request.landmarks)
            if (self.texture_count, done.texture_count) != (wanted, wanted):
                raise errors.SpeechFaceError(
                    f"the backend ended after {self.texture_count} of {wanted} pictures (it counts "
                    f"{done.texture_count}); render again, and read its log if it stays"
                )
            return
        if isinstance(self.request, protocol.FindPhotoLandmarks):
            wanted = len(self.request.images) + len(self.request.files)
            if self._photo_count != wanted:
                raise errors.SpeechFaceError(
                    f"the backend ended after {self._photo_count} of {wanted} photos; read its log"
                )
            return
        if not isinstance(self.request, protocol.AnimateRequest):
            if not self._has_main_result:
                what = (
                    "a learnt face" if isinstance(self.request, protocol.AdaptRequest) else "the landmarks of the mesh"
                )
                raise errors.SpeechFaceError(f"the backend ended without {what}; read its log")
            return
        frames, has_curves = self._frame_count, self._has_main_result
        wanted = frames if self.request.makes_texture else 0
        if not has_curves or (self.texture_count, done.texture_count, done.frame_count) != (wanted, wanted, frames):
            raise errors.SpeechFaceError(
                f"the backend ended after {self.texture_count} of {wanted} pictures "
                f"(it counts {done.texture_count}) and {done.frame_count if has_curves else 'no'} of {frames} "
                "frames of motion; generate again, and read its log if it stays"
            )
        for what, is_lacking in (
            ("the curves of the rig", self.request.rig and not self._has_rig),
            ("the words and phones", self.request.wants_speech and not self._has_words),
        ):
            if is_lacking:
                raise errors.SpeechFaceError(
                    f"the backend ended without {what}; it is of a release before them: start one of this"
                )

    @property
    def _frame_count(self) -> int:
        return len(self.request.frame_times) if isinstance(self.request, protocol.AnimateRequest) else 0
