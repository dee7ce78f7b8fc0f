"""How is one request carried out with the cascade?

Results are numbered from 1 and always cut the same way, so a job that is run again after a restart leaves out what
exists already.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend_server.identities.record import LearntFace, record_of
from backend_server.identities.store import IdentityStore
from backend_server.service.engine import Engine
from backend_server.service.outcome import adapted_answer, request_id
from backend_server.service.server_line import ServerLine
from shared.protocol import AdaptRequest, AnimateRequest, Done, LandmarkCurves, Progress, TextureFrames

FRAMES_PER_MESSAGE = 16  # 4 MiB of 256 x 256 RGBA
REPORT_SECONDS = 0.1  # progress is told this often, and at every change of stage


class StageClock:
    """Measures the stages of a job and guesses how long the present one still takes."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._stage = ""
        self._began = self._noted = time.monotonic()
        self._first_step = 0

    def note(self, stage: str, step: int, steps: int) -> float | None:
        """Notes a step; returns the seconds that the stage still needs, None while nobody knows.

        A stage lasts from its first note to the first note of the next.
        """
        now = self._count(self._stage or stage)
        if stage != self._stage:
            self._stage, self._began, self._first_step = stage, now, step
        done = step - self._first_step
        return (now - self._began) / done * max(0, steps - step) if done > 0 else None

    def finish(self) -> dict[str, float]:
        """Seconds a stage took, by name."""
        if self._stage:
            self._count(self._stage)
        return dict(self._seconds)

    def _count(self, stage: str) -> float:
        now = time.monotonic()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._noted
        self._noted = now
        return now


class JobRun:
    """One run of one job.

    Args:
        engine: the cascade.
        identities: known faces.
        line: to the server.
        job: its id.
        received: how many of its results exist already.
    """

    def __init__(self, engine: Engine, identities: IdentityStore, line: ServerLine, job: str, received: int) -> None:
        self._engine = engine
        self._identities = identities
        self._line = line
        self._job = job
        self._received = received
        self._clock = StageClock()
        self._reported = (-1.0, "")

    def adapt(self, request: AdaptRequest) -> Done:
        """Makes and keeps an identity.

        Raises:
            SpeechFaceError: as `Cascade.adapt`.
            Cancelled: the server wants the job to end.
        """
        version = self._engine.weights_version
        identity = request_id(request, version)
        kept = self._identities.kept(identity)
        if kept is None:
            face = self._engine.adapt(
                request.images,
                _placed_landmarks(request.landmarks),
                epochs=request.epochs,
                seed=request.seed,
                progress=self.progress,
            )
            record = record_of(
                identity, face, weights_version=version, image_count=len(request.images), seed=request.seed
            )
            self._identities.save(record, face)
        else:
            record = kept.record
        adapted = adapted_answer(record, job=self._job, sequence=1, is_cached=kept is not None)
        if self._received < 1:
            self._line.send(adapted)
        return Done(job=self._job, seconds=self._clock.finish())

    def animate(self, request: AnimateRequest) -> Done:
        """Makes and sends motion and texture.

        Raises:
            SpeechFaceError: as `Cascade.animate` and `Cascade.render`, or the identity is unknown.
            Cancelled: the server wants the job to end.
        """
        identity = self._face(request)
        motion = self._engine.animate(
            request.speech,
            request.sample_rate,
            request.frame_times,
            identity,
            seed=request.seed,
            blink=request.wants_blink,
            controls=request.controls,
            progress=self.progress,
        )
        landmarks = np.ascontiguousarray(motion.landmarks, np.float32)
        if self._received < 1:
            curves = LandmarkCurves(
                job=self._job,
                sequence=1,
                landmarks=landmarks,
                canonical=np.ascontiguousarray(motion.canonical, np.float32),
                frame_times=np.ascontiguousarray(motion.frame_times, np.float64),
                neutral=np.ascontiguousarray(motion.neutral, np.float32),
                crop=np.ascontiguousarray(motion.crop, np.float32),
            )
            self._line.send(curves)
        texture_count = self._render(identity, landmarks) if request.wants_texture and identity is not None else 0
        return Done(
            job=self._job, frame_count=len(landmarks), texture_count=texture_count, seconds=self._clock.finish()
        )

    def progress(self, stage: str, step: int, steps: int) -> None:
        """Tells the server how far the job is.

        Raises:
            Cancelled: the server wants the job to end.
        """
        self._line.raise_if_cancelled(self._job)
        seconds_left = self._clock.note(stage, step, steps)
        now = time.monotonic()
        reported, reported_stage = self._reported
        if stage != reported_stage or step >= steps or now - reported >= REPORT_SECONDS:
            self._reported = (now, stage)
            self._line.send(Progress(job=self._job, stage=stage, step=step, steps=steps, seconds_left=seconds_left))

    def _face(self, request: AnimateRequest) -> LearntFace | None:
        if request.identity:
            return self._identities.load(request.identity)
        if request.references:
            return self._engine.adapt(request.references, None, epochs=0, seed=request.seed, progress=self.progress)
        return None

    def _render(self, identity: LearntFace, landmarks: NDArray[np.float32]) -> int:
        first = max(0, self._received - 1) * FRAMES_PER_MESSAGE
        if first >= len(landmarks):
            return len(landmarks)

        def progress(stage: str, step: int, steps: int) -> None:
            self.progress(stage, first + step, first + steps)

        chunks = self._engine.render(identity, landmarks[first:], progress)
        for frames in rechunk(chunks, FRAMES_PER_MESSAGE):
            self._line.raise_if_cancelled(self._job)
            sequence = 2 + first // FRAMES_PER_MESSAGE
            self._line.send(TextureFrames(job=self._job, sequence=sequence, first_frame=first, frames=frames))
            first += len(frames)
        return first


def rechunk(chunks: Iterator[NDArray[np.uint8]], size: int) -> Iterator[NDArray[np.uint8]]:
    """The same frames in chunks of `size`; only the last may be shorter."""
    kept: list[NDArray[np.uint8]] = []
    for chunk in chunks:
        for frame in chunk:
            kept.append(frame)
            if len(kept) == size:
                yield np.stack(kept)
                kept = []
    if kept:
        yield np.stack(kept)


def _placed_landmarks(landmarks: NDArray[np.float32] | None) -> list[NDArray[np.float32] | None] | None:
    return None if landmarks is None else [None if np.isnan(points).any() else points for points in landmarks]
