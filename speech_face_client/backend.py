"""Connects to the backend, and asks it for faces, animations and how it is.

The library has no thread. Heartbeats, uploads and results go on in the calls that wait: iterating over a job, `result`,
`adapt`, `status`. A program may do other things in between for as long as it likes: the backend forgets a client that
is silent for five minutes, but none of its jobs, and the next call takes them up again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._shared import (
    backend_keeper,
    endpoint,
    errors,
    health,
    job_list,
    line,
    motion_controls,
    protocol,
    timing,
)
from .connected import Connected
from .face import (
    Chosen,
    Identity,
    Picture,
    Placed,
    adapt_request,
    identity_of,
    photo_request,
    render_request,
)
from .faces import KeptFaces
from .job import Job, RenderJob
from .questions import ANSWER_SECONDS
from .rig import Rig, rig_fields
from .sound import sound_of
from .starting import new_process

CONNECT_SECONDS = 10.0


class Backend(Connected):
    """A connection to one backend; made by `connect` or `start`, and used in a `with` block.

    Leaving the block cancels the jobs that have not ended, and ends a backend that it started. All calls come from one
    thread; several jobs may run at once.
    """

    @classmethod
    def connect(
        cls,
        connection_file: Path | str | None = None,
        *,
        name: str = "",
        timeout: float = CONNECT_SECONDS,
        patience: float = line.LOST_SECONDS,
    ) -> Backend:
        """Connects to a backend that runs.

        Args:
            connection_file: that it wrote, or that was made for this machine; None: the usual place of this user.
            name: of this program, for the backend's log and its list of jobs.
            timeout: seconds to wait for its answer.
            patience: seconds in which a connection that is lost must come back.

        Raises:
            SpeechFaceError: no backend answers in time, or it refuses this library.
        """
        path = Path(connection_file) if connection_file is not None else endpoint.default_connection_file()
        return cls(lambda: endpoint.read_connection_file(path), name, patience)._begun(timeout)

    @classmethod
    def start(
        cls,
        python: Path | str | None = None,
        *,
        folder: Path | str | None = None,
        device: str = "",
        data_folder: Path | str | None = None,
        name: str = "",
        timeout: float = line.STARTUP_SECONDS,
        patience: float = line.LOST_SECONDS,
    ) -> Backend:
        """Starts a backend that ends with the `with` block, or shares the one that uses the data folder.

        When it ends by itself, it is started again, twice at most, and the jobs go on.

        Args:
            python: that has the backend; None: this one.
            folder: in which `backend_server` lies, unless it is installed into that Python.
            device: "cpu", "cuda:0", or empty for the fastest one.
            data_folder: for results and learnt faces; None: the usual one of this user.
            name: as `connect`.
            timeout: seconds in which it must answer.
            patience: as `connect`.

        Raises:
            SpeechFaceError: the backend is not installed there, or does not start in time.
        """
        process = new_process(python, folder, device, data_folder)
        keeper = backend_keeper.BackendKeeper(process)
        process.start()
        return cls(keeper.connection, name, patience, process, keeper)._begun(timeout)

    @property
    def welcome(self) -> protocol.Welcome:
        """What the backend said of itself: program, device, weights, limits."""
        if self._line.welcome is None:
            raise errors.SpeechFaceError("the backend has not answered yet", code=errors.ErrorCode.BACKEND_UNREACHABLE)
        return self._line.welcome

    @property
    def faces(self) -> KeptFaces:
        """The faces that the backend keeps: to list, name, delete, export and import them."""
        return KeptFaces(self._questions)

    def adapt(
        self,
        pictures: Picture | Sequence[Picture],
        *,
        epochs: int = 10,
        seed: int = 0,
        landmarks: Placed = None,
        chosen: Chosen = None,
        on_progress: Callable[[protocol.Progress], object] = lambda _: None,
    ) -> Identity:
        """Learns a face from 1 to 20 pictures; the same pictures are found again at once.

        Args:
            pictures: paths, whose bytes are sent, or arrays u8 (H, W, 3 or 4), sRGB, with straight alpha; arrays
                count before paths.
            epochs: of fine-tuning, 0 to 200; 0 uses the trained weights unchanged.
            seed: of all randomness.
            landmarks: placed by hand, (68, 2) pixels of each picture in their order, None where they are found.
            chosen: a point (x, y) on the face that is meant, pixels of each picture, None for its largest.
            on_progress: told how far it is.

        Raises:
            SpeechFaceError: the pictures cannot be used, or the backend cannot be reached; `NoFaceError` and others
                say which.
        """
        job = self._begin(Job(self, self._line, adapt_request(pictures, epochs, seed, landmarks, chosen)))
        identity: Identity | None = None
        try:
            for event in job:
                if isinstance(event, protocol.Progress):
                    on_progress(event)
                elif isinstance(event, protocol.Adapted):
                    identity = identity_of(event)
        finally:
            job.cancel()  # nobody else could; does nothing after the end
        if identity is None:
            raise errors.SpeechFaceError("the backend ended without a learnt face; read its log")
        return identity

    def find_landmarks(
        self,
        pictures: Picture | Sequence[Picture],
        *,
        chosen: Chosen = None,
        on_progress: Callable[[protocol.Progress], object] = lambda _: None,
    ) -> list[protocol.PhotoLandmarks]:
        """Finds the faces of 1 to 20 pictures, and the landmarks of one face of each, for `adapt`.

        Args:
            pictures: as `adapt`.
            chosen: as `adapt`.
            on_progress: told how far it is.

        Returns:
            One for each picture, in their order; `landmarks` is None where there is no face, and `sentence` says why.

        Raises:
            SpeechFaceError: the pictures are too many, or the backend cannot be reached.
        """
        request, order = photo_request(pictures, chosen)
        job = self._begin(RenderJob(self, self._line, request))
        found: dict[int, protocol.PhotoLandmarks] = {}
        try:
            for event in job:
                if isinstance(event, protocol.Progress):
                    on_progress(event)
                elif isinstance(event, protocol.PhotoLandmarks):
                    found[order[event.picture]] = event
        finally:
            job.cancel()  # as in `adapt`
        return [found[place] for place in sorted(found)]

    def animate(
        self,
        sound: Path | str | NDArray[np.floating],
        *,
        sample_rate: int | None = None,
        frame_rate: float = 25.0,
        frame_times: NDArray[np.float64] | None = None,
        identity: Identity | str | None = None,
        controls: motion_controls.MotionControls = motion_controls.UNTOUCHED,
        wants_blink: bool = True,
        wants_texture: bool | None = None,
        size: int = protocol.FACE_SIZES[0],
        rig: Rig = "",
        rig_face: protocol.RigFace | None = None,
        transcript: str | None = None,
        seed: int = 0,
    ) -> Job:
        """Begins to animate a sound, and returns at once.

        Args:
            sound: path of a file, or samples (S,) or (S, channels) as floats in [-1, 1].
            sample_rate: Hz, of samples.
            frame_rate: frames per second; 23.976 and 29.97 stand for 24000/1001 and 30000/1001.
            frame_times: seconds within the sound, (T,), ascending; None: as many frames as the sound fills.
            identity: whose face; None: the mean face, without pictures.
            controls: how the motion is shaped.
            wants_blink: whether the eyes blink.
            wants_texture: whether pictures are rendered; None: where there is an identity.
            size: of pictures, pixels a side: 256, or 512 or 1024 with the own pixels of a large photo.
            rig: whose curves are wanted too: a mapping, the path of its JSON file, or the name of one that the backend
                knows ("arkit", "oculus", "vrm"); empty: none.
            rig_face: what the channels of that rig do to its face; its curves are then solved for this face.
            transcript: what is said, so that `SpokenWords` tell when; empty: only phones are told; None: neither.
            seed: of the blinks.

        Raises:
            SoundError: the sound cannot be read.
            SpeechFaceError: a value lies outside its range; the sentence names it.
        """
        heard = sound_of(sound, sample_rate)
        if wants_texture and identity is None:
            raise errors.ValueRangeError("pictures need a face; give an identity, or leave wants_texture out")
        if frame_times is None:
            frame_times = timing.frame_times(heard.seconds, timing.FrameRate.from_decimal(frame_rate))
        request = protocol.AnimateRequest(
            job=protocol.new_id(),
            sample_rate=heard.sample_rate,
            identity=_id(identity or ""),
            seed=seed,
            wants_blink=wants_blink,
            wants_texture=identity is not None if wants_texture is None else wants_texture,
            size=size,
            speech=heard.samples,
            frame_times=np.asarray(frame_times, np.float64),
            wants_speech=transcript is not None,
            transcript=transcript or "",
            **rig_fields(rig, rig_face),
            **asdict(controls),
        )
        return self._begin(Job(self, self._line, request, heard.notes))

    def render(
        self, landmarks: NDArray[np.floating], identity: Identity | str, *, size: int = protocol.FACE_SIZES[0]
    ) -> RenderJob:
        """Begins to draw pictures of a face whose landmarks are given, and returns at once.

        Args:
            landmarks: (T, 68, 2) pixels of the crop, such as `LandmarkCurves.landmarks`, changed or a part of them.
            identity: whose face.
            size: as `animate`.

        Raises:
            SpeechFaceError: the landmarks are no face, or far outside of the crop; the sentence names the first.
        """
        return self._begin(RenderJob(self, self._line, render_request(landmarks, _id(identity), size)))

    def status(self, timeout: float = ANSWER_SECONDS) -> protocol.StatusReport:
        """How the backend is: state, worker, queue, memory, disk.

        Raises:
            SpeechFaceError: it does not answer in time, or is of a release without it.
        """
        return self._questions.ask(protocol.Status(), protocol.StatusReport, timeout)

    def jobs(self, *, are_ended: bool = False, timeout: float = ANSWER_SECONDS) -> list[health.JobHealth]:
        """The jobs of all clients that have not ended, in the order in which they will run.

        Args:
            are_ended: those that have ended instead, whose results are kept.
            timeout: seconds for each answer.

        Raises:
            SpeechFaceError: as `status`.
        """

        def ask(question: protocol.Status) -> protocol.StatusReport:
            return self._questions.ask(question, protocol.StatusReport, timeout)

        return job_list.list_jobs(ask, are_ended=are_ended)


def _id(identity: Identity | str) -> str:
    return identity.id if isinstance(identity, Identity) else identity
