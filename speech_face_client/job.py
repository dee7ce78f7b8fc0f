"""Hands out what the backend makes of one request, as it comes or as a whole.

Nothing is received but in calls of the library, so a program that does other things meanwhile has no second thread to
mind. What has not been fetched waits at the backend, on its disk.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._shared import errors, following, line, notes, protocol

if TYPE_CHECKING:
    from .connected import Connected

Event = (
    protocol.Accepted
    | protocol.Progress
    | protocol.Adapted
    | protocol.PhotoLandmarks
    | protocol.LandmarkCurves
    | protocol.RigCurves
    | protocol.SpokenWords
    | protocol.TextureFrames
    | protocol.Done
)

MOST_WAITING_BYTES = 64 * 1024 * 1024  # of one job's results; later ones wait at the backend
CANCEL_SECONDS = 0.5  # in which the backend ends a job


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """All that a job has drawn.

    Attributes:
        frames: rendered, u8 (T, size, size, 4), sRGB and straight alpha; None where none were wanted, or where the
            iteration over the job has handed them out.
        notes: what the user should know of the sound, the face and the result.
        seconds: stage -> seconds that it took.
    """

    frames: NDArray[np.uint8] | None
    notes: tuple[notes.Note, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Animation(Rendering):
    """All that a job has made, with what a `Rendering` has.

    Attributes:
        curves: the landmarks, with their `frame_times`.
        rig: the channels of the rig, `weights` (T, C) under their `names`; None where none was asked for.
        spoken: which words and phones are said when, `said_words` and `said_phones`; None where not asked for.
    """

    curves: protocol.LandmarkCurves
    rig: protocol.RigCurves | None
    spoken: protocol.SpokenWords | None


class RenderJob:
    """One request at the backend; made by `Backend.render`.

    Iterating over it gives what comes, and ends after `Done`:

    - `Accepted`: its place in the queue
    - `Progress`: stage, step of steps, seconds left; also while a large request is sent
    - `TextureFrames`: some rendered frames, in order
    - `Done`: counts, seconds and notes

    Attributes:
        id: of the job, as `jobs list` of the backend shows it.
    """

    def __init__(
        self,
        backend: Connected,
        connection: line.Line,
        request: protocol.Request,
        said: tuple[notes.Note, ...] = (),
    ) -> None:
        self.id = request.job
        self._backend = backend
        self._following = following.Following(connection, request)
        self._waiting: deque[Event] = deque()
        self._waiting_bytes = 0
        self._upload: tuple[str, int] | None = None  # what was last told of it
        self._error: Exception | None = None
        self._is_cancelled = False
        self._said = said
        self._curves: protocol.LandmarkCurves | None = None
        self._rig: protocol.RigCurves | None = None
        self._spoken: protocol.SpokenWords | None = None
        self._done: protocol.Done | None = None
        self._frames: list[NDArray[np.uint8]] | None = []  # None: handed out

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, well or badly; what it has made may still wait to be looked at."""
        return self._following.is_over

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        """What comes next; waits for it.

        Raises:
            SpeechFaceError: the job has failed, in the backend's own words, or the backend cannot be reached.
            Cancelled: the job was cancelled by another program.
        """
        event = self._next(None)
        if event is None:
            raise StopIteration
        if isinstance(event, protocol.TextureFrames):
            self._frames = None
        return event

    def result(self, timeout: float | None = None) -> Rendering:
        """All that the job makes; waits for its end.

        A second of rendered frames takes 6.5 MB at 25 frames per second, of 1024 pixels 105 MB; iterate over the job
        where that is too much.

        Args:
            timeout: seconds to wait at most; None: without end.

        Raises:
            SpeechFaceError: as iteration, or the job has not ended in time; it goes on and can be asked again.
            Cancelled: the job was cancelled.
        """
        done = self._finished(timeout)
        return Rendering(frames=self._all_frames(), notes=self._said + done.notes, seconds=dict(done.seconds))

    def _finished(self, timeout: float | None) -> protocol.Done:
        """Waits for the end, keeps the frames that come, and returns the last message; raises as `result`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (event := self._next(deadline)) is not None:
            if isinstance(event, protocol.TextureFrames) and self._frames is not None:
                self._frames.append(event.frames)
        if self._is_cancelled:
            raise errors.Cancelled(f"job {self.id} was cancelled")
        if self._done is None:
            raise errors.SpeechFaceError(f"job {self.id} has ended without an answer; read the backend's log")
        return self._done

    def _all_frames(self) -> NDArray[np.uint8] | None:
        if self._frames and len(self._frames) > 1:
            self._frames = [np.concatenate(self._frames)]
        return self._frames[0] if self._frames else None

    def cancel(self) -> None:
        """Ends the job here at once, and at the backend within half a second or as soon as it can be reached.

        Iterating ends; `result` raises Cancelled. Does nothing when the job has ended.
        """
        if self._following.is_over:
            return
        self.give_up()
        self._backend.await_cancels(CANCEL_SECONDS)

    def give_up(self) -> None:
        """Cancels without waiting for the backend's answer; the backend object calls it."""
        self._is_cancelled = not self._following.is_over
        self._following.cancel()
        self._waiting.clear()

    def step(self) -> None:
        """Sends what is to be sent; the backend object calls it."""
        self._following.step()

    def take(self, message: protocol.Message) -> None:
        """Takes a message if it is of this job; the backend object calls it with all that arrive."""
        try:
            taken = self._following.take(message, has_room=self._waiting_bytes < MOST_WAITING_BYTES)
        except errors.SpeechFaceError as error:
            self._following.cancel()
            self._error = error
            return
        if isinstance(taken, protocol.Cancelled):
            self._error = errors.Cancelled(f"job {self.id} was cancelled by another program")
        elif isinstance(taken, protocol.LandmarkCurves):
            self._curves = taken
        elif isinstance(taken, protocol.RigCurves):
            self._rig = taken
        elif isinstance(taken, protocol.SpokenWords):
            self._spoken = taken
        elif isinstance(taken, protocol.Done):
            self._done = taken
        if not isinstance(taken, Event):
            return
        if isinstance(taken, protocol.Progress) and self._waiting and isinstance(self._waiting[-1], protocol.Progress):
            self._waiting.pop()  # nobody needs the one before
        self._waiting.append(taken)
        self._waiting_bytes += _size(taken)

    def _next(self, deadline: float | None) -> Event | None:
        """What comes next; None after the end."""
        while True:
            if self._waiting:
                event = self._waiting.popleft()
                self._waiting_bytes -= _size(event)
                if not self._waiting:
                    self._following.go_on()
                return event
            if self._error is not None:
                raise self._error
            if self._following.is_over:
                return None
            if deadline is not None and time.monotonic() > deadline:
                raise errors.SpeechFaceError(
                    f"job {self.id} has not ended in the time that was given; it goes on: wait again, or cancel it"
                )
            self._backend.pump(0.1)
            if not self._waiting and (upload := self._told_of_upload()) is not None:
                return upload

    def _told_of_upload(self) -> protocol.Progress | None:
        upload = self._following.upload
        told = None if upload is None else (upload.stage, upload.step)
        if told == self._upload:
            return None
        self._upload = told
        return upload


class Job(RenderJob):
    """A `RenderJob` that also makes the motion; made by `Backend.animate`.

    Iterating over it gives, before the first frames:

    - `LandmarkCurves`: the motion of all frames, once
    - `RigCurves`: the same in the channels of a rig, if one was asked for
    - `SpokenWords`: which words and phones are said when, if they were asked for
    """

    def result(self, timeout: float | None = None) -> Animation:
        """All that the job makes; waits for its end, as `RenderJob.result`.

        Raises:
            SpeechFaceError: as `RenderJob.result`.
            Cancelled: the job was cancelled.
        """
        done = self._finished(timeout)
        if self._curves is None:
            raise errors.SpeechFaceError(f"job {self.id} makes no animation")
        return Animation(
            curves=self._curves,
            rig=self._rig,
            spoken=self._spoken,
            frames=self._all_frames(),
            notes=self._said + done.notes,
            seconds=dict(done.seconds),
        )


def _size(event: Event) -> int:
    return event.frames.nbytes if isinstance(event, protocol.TextureFrames) else 0
