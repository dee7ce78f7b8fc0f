"""Follows one job from its request to its end, over as many connections as it takes."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend_server.chaos.client import SILENT_SECONDS, ChaosClient
from shared.errors import ErrorCode
from shared.protocol import (
    Accepted,
    Adapted,
    AdaptRequest,
    AnimateRequest,
    Attach,
    Cancelled,
    Done,
    Failed,
    LandmarkCurves,
    Message,
    Pong,
    Progress,
    RigCurves,
    SpokenWords,
    TextureFrames,
)

_STEP_SECONDS = 0.02


@dataclass(frozen=True)
class Result:
    """What a client got of one job.

    Attributes:
        digest: sha256 of all results in order; two runs of one job must give the same.
        ending: Done, Failed or Cancelled; None if it did not come in time.
        twice: results and endings that came again without being asked for.
        starts: how often a worker was seen to begin the job.
        seconds: from the request to the end.
        complaints: messages that could not be read, and results that do not fit together.
    """

    digest: str
    ending: Message | None
    twice: int
    starts: int
    seconds: float
    complaints: tuple[str, ...]


class Job:
    """One job of one client.

    Args:
        client: the connection.
        request: with an ID of its own.

    Attributes:
        texture_count: frames that have arrived.
    """

    def __init__(self, client: ChaosClient, request: AnimateRequest | AdaptRequest) -> None:
        self._client = client
        self._request = request
        self._whole = hashlib.sha256()
        self._received = 0
        self._highest = 0  # sequence on this connection since the last Attach
        self._gap_after = -1
        self.texture_count = 0
        self._curve_count = 0
        self._is_attached = False
        self._was_sent = self._was_accepted = False
        self._twice = self._starts = 0
        self._complaints: list[str] = []
        self._ending: Message | None = None
        self._begin = time.monotonic()

    def run(
        self,
        patience_seconds: float,
        *,
        when: Callable[[Job], bool] = lambda job: False,
        disturb: Callable[[], float | None] | None = None,
        heal: Callable[[], object] = lambda: None,
        watch: Callable[[Job], object] = lambda job: None,
        is_vain: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Runs the job to its end.

        Args:
            patience_seconds: without an end for so long, the result has none.
            when: whether it is time for `disturb`; it is called after the end at the latest.
            disturb: injects a fault; returns the seconds after which `heal` shall be called, None for never.
            heal: takes the fault back.
            watch: called again and again; may raise.
            is_vain: whether waiting on is of no use, because the server is dead.
        """
        self._begin = time.monotonic()
        heal_at = math.inf
        while self._ending is None and self.seconds < patience_seconds and not is_vain():
            watch(self)
            if disturb is not None and when(self):
                wait, disturb = disturb(), None
                heal_at = math.inf if wait is None else self.seconds + wait
            if self.seconds >= heal_at:
                heal_at = math.inf
                heal()
            self._step()
        seconds = self.seconds
        if disturb is not None:
            disturb()
        self._listen_on()
        complaints = (*self._complaints, *self._client.damaged)
        self._client.damaged.clear()
        return Result(self._whole.hexdigest(), self._ending, self._twice, self._starts, seconds, complaints)

    @property
    def seconds(self) -> float:
        """Since the job was begun."""
        return time.monotonic() - self._begin

    def _step(self) -> None:
        if self._client.is_ready and not self._is_attached:
            self._attach()
        messages = self._client.poll(_STEP_SECONDS)
        if not self._client.is_ready:
            self._is_attached = False
        for message in messages:
            self._take(message)

    def _attach(self) -> None:
        self._is_attached = True
        self._highest = self._received
        if self._was_sent:
            self._client.send(Attach(job=self._request.job, received=self._received))
        else:
            self._was_sent = True
            self._client.send(self._request)

    def _take(self, message: Message) -> None:
        if message.job != self._request.job:
            return
        if message.sequence:
            self._take_result(message)
        elif isinstance(message, Accepted):
            self._was_accepted = True
        elif isinstance(message, Progress):
            self._starts += message.stage in ("speech", "fine-tuning") and message.step == 0
        elif isinstance(message, Failed):
            if message.code is ErrorCode.UNKNOWN_JOB and not self._was_accepted:
                self._was_sent = self._is_attached = False  # the connection broke before the request had arrived
            else:
                self._end(message)

    def _take_result(self, message: Message) -> None:
        if message.sequence <= self._highest:
            self._twice += 1
            return
        if message.sequence > self._received + 1:
            if self._gap_after != self._received:  # asks once for one that was lost
                self._gap_after = self._received
                self._is_attached = False
            return
        self._highest = self._received = message.sequence
        match message:
            case LandmarkCurves():
                for array in (message.landmarks, message.canonical, message.frame_times, message.neutral):
                    self._whole.update(np.ascontiguousarray(array).tobytes())
                self._curve_count += len(message.landmarks)
            case SpokenWords():
                self._whole.update(f"{message.words} {message.phones}".encode())
            case RigCurves():
                self._whole.update(np.ascontiguousarray(message.weights).tobytes())
            case TextureFrames():
                if message.first_frame != self.texture_count:
                    self._complaints.append(f"frame {self.texture_count} was next, got {message.first_frame}")
                self._whole.update(np.ascontiguousarray(message.frames).tobytes())
                self.texture_count += len(message.frames)
            case Adapted():
                self._whole.update(f"{message.identity} {message.neutral.tolist()}".encode())
            case Done() | Failed() | Cancelled():
                self._end(message)
            case _:
                self._complaints.append(f"a {type(message).__name__} carries the number {message.sequence}")

    def _end(self, message: Message) -> None:
        self._ending = message
        if isinstance(message, Done) and isinstance(self._request, AnimateRequest):
            frames = len(self._request.frame_times)
            wanted = frames if self._request.wants_texture and self._request.references else 0
            if (self._curve_count, self.texture_count) != (frames, wanted):
                self._complaints.append(
                    f"done after {self._curve_count} of {frames} landmarks and {self.texture_count} of {wanted} frames"
                )

    def _listen_on(self) -> None:
        """Counts what still comes for this job before the server answers one more Ping."""
        if not self._client.is_ready or self._ending is None:
            return
        for message in self._client.until_pong(SILENT_SECONDS) or ():
            if message.job == self._request.job and message.sequence and not isinstance(message, Pong):
                self._twice += message.sequence <= self._highest
