"""Carries out one request with the cascade.

Results are numbered from 1 and always split the same way, so a job that runs again after a restart leaves out what
already exists.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend_server.face.images import decode_image
from backend_server.face_photo import size_note
from backend_server.identities.learning import FaceSource, Learning, find_or_learn
from backend_server.identities.placed_landmarks import check_placed
from backend_server.identities.store import IdentityStore
from backend_server.identity import Identity
from backend_server.progress import StageClock
from backend_server.rig.conversion import rig_weights
from backend_server.rig.solved import solve_channels
from backend_server.service.outcome import adapted_answer
from backend_server.service.work.expectation import frames_per_message
from backend_server.service.work.server_line import ServerLine
from backend_server.texture.placed import placed
from shared.notes import Note
from shared.protocol import (
    AdaptRequest,
    AnimateRequest,
    Done,
    FindMeshLandmarks,
    FindPhotoLandmarks,
    LandmarkCurves,
    MeshLandmarks,
    Progress,
    RenderRequest,
    RigCurves,
    SpokenWords,
    TextureFrames,
)
from shared.render_messages import CROP_PIXELS
from shared.rig.mapping import RigMapping
from shared.rig_messages import RigFace

if TYPE_CHECKING:  # the worker loads the class that its settings name; tests name a light one
    from backend_server.cascade import Cascade
    from backend_server.landmark_motion import LandmarkMotion

REPORT_SECONDS = 0.1  # between progress messages; each new stage is reported at once


class JobRun:
    """One run of one job.

    Args:
        cascade: learns, animates and renders.
        identities: known faces.
        line: to the server.
        job: its ID.
        received: how many of its results already exist.
    """

    def __init__(self, cascade: Cascade, identities: IdentityStore, line: ServerLine, job: str, received: int) -> None:
        self._cascade = cascade
        self._identities = identities
        self._line = line
        self._job = job
        self._received = received
        self._clock = StageClock()
        self._reported = (-1.0, "")

    def adapt(self, request: AdaptRequest) -> Done:
        """Makes and keeps an identity.

        Raises:
            SpeechFaceError: as `decode_image` and `find_or_learn`, or the face cannot be kept.
            Cancelled: the server wants the job to end.
        """
        names = request.names[len(request.images) :] or [f"image {n}" for n in range(1, len(request.files) + 1)]
        read = [decode_image(file.tobytes(), name) for file, name in zip(request.files, names, strict=True)]
        images = (*request.images, *read)
        if request.landmarks is not None:
            called = request.names or [f"image {n}" for n in range(1, len(images) + 1)]
            for placed, name, image in zip(request.landmarks, called, images, strict=True):
                if not np.isnan(placed).any():
                    check_placed(name, placed, image.shape)
        source = FaceSource(images, request.landmarks, request.names, chosen=request.chosen)
        learning = self._learn(self._identities, source, request.epochs, request.seed)
        if learning.error is not None:  # a face that is not kept would be unknown to the next request
            raise learning.error
        record = learning.identity.record
        if self._received < 1:
            self._line.send(
                adapted_answer(record, job=self._job, sequence=1, is_cached=learning.is_found, names=request.names)
            )
        return Done(job=self._job, seconds=self._clock.stop())

    def animate(self, request: AnimateRequest) -> Done:
        """Makes and sends motion and texture.

        Raises:
            SpeechFaceError: as `Cascade.animate` and `Cascade.render`, or the identity is unknown.
            Cancelled: the server wants the job to end.
        """
        identity, notes = self._identity(request)
        motion = self._cascade.animate(
            request.speech,
            request.sample_rate,
            request.frame_times,
            identity,
            seed=request.seed,
            blink=request.wants_blink,
            controls=request.controls,
            transcript=request.transcript if request.wants_speech else None,
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
                head=motion.head if request.liveliness else None,
                still=motion.still if request.liveliness else None,
            )
            self._line.send(curves)
        before, mapping = 1, request.mapping
        if mapping is not None:
            before += 1
            if self._received < before:
                self._send_rig(mapping, request.rig_face, motion)
        if (spoken := motion.spoken) is not None:
            before += 1
            if self._received < before:
                self._line.send(SpokenWords.of(spoken.words, spoken.phones, job=self._job, sequence=before))
        notes += motion.notes
        texture_count = 0
        if request.wants_texture and identity is not None:
            texture_count, of_result = self._render(identity, landmarks, before, request.size)
            notes += of_result
        return Done(
            job=self._job,
            frame_count=len(landmarks),
            texture_count=texture_count,
            seconds=self._clock.stop(),
            notes=notes,
        )

    def render(self, request: RenderRequest) -> Done:
        """Makes and sends pictures of the landmarks that were sent.

        Raises:
            SpeechFaceError: as `Cascade.render`, or the identity is unknown.
            Cancelled: the server wants the job to end.
        """
        identity = self._identities.load(request.identity)
        landmarks = np.ascontiguousarray(request.landmarks, np.float32)
        count, notes = self._render(identity, landmarks, 0, request.size)
        return Done(job=self._job, texture_count=count, seconds=self._clock.stop(), notes=notes)

    def find_landmarks(self, request: FindMeshLandmarks) -> Done:
        """Finds and sends the landmarks of a mesh.

        Raises:
            SpeechFaceError: as `rig.landmarks.find_landmarks`.
            Cancelled: the server wants the job to end.
        """
        from backend_server.rig.landmarks import find_landmarks  # noqa: PLC0415 (few jobs need the face detector)

        found = find_landmarks(request.vertices, request.triangles, progress=self.progress)
        self.progress("look", 1, 1)
        answer = MeshLandmarks(
            job=self._job,
            sequence=1,
            vertices=found.vertices,
            confidence=found.confidence,
            projection=found.view.turn(np.eye(3)).T[:2].copy(),
            picture=np.ascontiguousarray(found.picture),
            points=np.ascontiguousarray(found.points, np.float32),
        )
        if self._received < 1:
            self._line.send(answer)
        return Done(job=self._job, seconds=self._clock.stop())

    def find_in_photos(self, request: FindPhotoLandmarks) -> Done:
        """Finds and sends the faces of photos, one message a photo; one that has none does not end the job.

        Raises:
            Cancelled: the server wants the job to end.
        """
        from backend_server.face.detector import FaceDetector  # noqa: PLC0415 (few jobs need it)
        from backend_server.service.work.photos import look_at  # noqa: PLC0415 (likewise)

        count = len(request.images) + len(request.files)
        with FaceDetector() as detector:
            for picture in range(count):
                self.progress("face", picture, count)
                if picture >= self._received:
                    self._line.send(look_at(request, picture, detector))
        self.progress("face", count, count)
        return Done(job=self._job, seconds=self._clock.stop())

    def progress(self, stage: str, step: int, steps: int) -> None:
        """Tells the server the progress of the job.

        Raises:
            Cancelled: the server wants the job to end.
        """
        self._line.raise_if_cancelled(self._job)
        self._clock(stage, step, steps)
        now = time.monotonic()
        reported, reported_stage = self._reported
        if stage != reported_stage or step >= steps or now - reported >= REPORT_SECONDS:
            self._reported = (now, stage)
            left = self._clock.seconds_left
            self._line.send(Progress(job=self._job, stage=stage, step=step, steps=steps, seconds_left=left))

    def _only_cancelled(self, stage: str, step: int, steps: int) -> None:
        self._line.raise_if_cancelled(self._job)

    def _learn(self, store: IdentityStore | None, source: FaceSource, epochs: int, seed: int) -> Learning:
        return find_or_learn(self._cascade, store, source, epochs=epochs, seed=seed, progress=self.progress)

    def _identity(self, request: AnimateRequest) -> tuple[Identity | None, tuple[Note, ...]]:
        """The face, and what the user should know of it that no `Adapted` has told."""
        if request.identity:
            return self._identities.load(request.identity), ()
        if request.references:
            learning = self._learn(None, FaceSource(request.references, names=request.names), 0, request.seed)
            return learning.identity, learning.notes
        return None, ()

    def _send_rig(self, mapping: RigMapping, face: RigFace | None, motion: LandmarkMotion) -> None:
        names, residual = tuple(channel.name for channel in mapping.channels), None
        if face is None:
            weights = rig_weights(mapping, motion.arkit, motion.frame_times)
        else:
            solved = solve_channels(mapping, face, motion.canonical, self._cascade.neutral_canonical)
            weights, residual = solved.weights, solved.residual
        self._line.send(RigCurves(job=self._job, sequence=2, names=names, weights=weights, residual=residual))

    def _render(
        self, identity: Identity, landmarks: NDArray[np.float32], before: int, size: int = CROP_PIXELS
    ) -> tuple[int, tuple[Note, ...]]:
        """Sends the pictures; returns how many the job has now, and what the user should know of them.

        Args:
            identity: the face.
            landmarks: (T, 68, 2) pixels.
            before: how many results come before the pictures.
            size: of the pictures, pixels a side.
        """
        count = frames_per_message(size)
        had = first = min(max(0, self._received - before) * count, len(landmarks))
        place, notes = None, ()
        if size != CROP_PIXELS:
            place = self._cascade.face_at_size(identity, size)
            notes = size_note(identity.references, size, identity.record.title)

        def progress(stage: str, step: int, steps: int) -> None:
            self.progress(stage, had + step, had + steps)

        with self._cascade.result_judge(landmarks) as judge:
            seen = judge.looked_at_before(first)  # sent before the job was interrupted, so a few are made again
            again = self._cascade.render(identity, landmarks[seen], self._only_cancelled) if len(seen) else ()
            for number, frame in zip(seen.tolist(), (frame for chunk in again for frame in chunk), strict=True):
                judge.look(number, frame)
            if first == len(landmarks):
                return first, notes + judge.notes()
            chunks = judge.watch(self._cascade.render(identity, landmarks[first:], progress), first)
            shown = (frame[None] for frame in placed(chunks, landmarks[first:], place))
            for frames in rechunk(shown, count):
                self._line.raise_if_cancelled(self._job)
                sequence = 1 + before + first // count
                self._line.send(TextureFrames(job=self._job, sequence=sequence, first_frame=first, frames=frames))
                first += len(frames)
            return first, notes + judge.notes()


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
