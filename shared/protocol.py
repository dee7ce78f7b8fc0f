"""Defines the messages between a client and the backend.

One Struct per message. A message's `id`, `parent`, `job` and `sequence` travel in the header, arrays as buffers,
everything else in the content.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .errors import ErrorCode
from .face_messages import (
    DeleteFace,
    ExportFace,
    FaceDeleted,
    FaceFile,
    Faces,
    ImportFace,
    LearntFace,
    ListFaces,
    RenameFace,
)
from .health import JobCounts, JobList, WorkerHealth
from .message import (
    HEARTBEAT_SECONDS,
    MAX_CHUNK_BYTES,
    MAX_EPOCHS,
    MAX_FRAME_COUNT,
    MAX_IMAGE_COUNT,
    MAX_IMAGE_PIXELS,
    MAX_IMAGE_SIDE,
    MAX_MESSAGE_BYTES,
    MAX_PART_BYTES,
    MAX_STRIP_SECONDS,
    PROTOCOL_VERSION,
    Count,
    IdentityId,
    JobId,
    Limits,
    Message,
    Names,
    Seconds,
    Seed,
    Text,
    bad_value,
    check_images,
    check_names,
    new_id,
    too_large,
)
from .motion_controls import RANGES, MotionControls
from .notes import Notes
from .photo_messages import Adapted, AdaptRequest, FindPhotoLandmarks, PhotoLandmarks
from .render_messages import CROP_PIXELS, FACE_SIZES, RenderRequest, check_size
from .rig.mapping import RigMapping
from .rig.presets import read_mapping
from .rig_messages import ChannelNames, FindMeshLandmarks, MeshLandmarks, RigCurves, RigFace, RigText, check_rig
from .speech_messages import MAX_TRANSCRIPT, Said, SpokenWords, TranscriptText

__all__ = [
    "FACE_SIZES", "HEARTBEAT_SECONDS", "KINDS", "MAX_CHUNK_BYTES", "MAX_EPOCHS", "MAX_FRAME_COUNT", "MAX_IMAGE_COUNT",
    "MAX_IMAGE_PIXELS", "MAX_IMAGE_SIDE", "MAX_MESSAGE_BYTES", "MAX_PART_BYTES", "MAX_STRIP_SECONDS",
    "MAX_TRANSCRIPT", "MESSAGE_TYPES", "PROTOCOL_VERSION", "Accepted", "AdaptRequest", "Adapted", "AnimateRequest",
    "Attach", "Cancel", "Cancelled", "ChannelNames", "Count", "DeleteFace", "Done", "ExportFace", "FaceDeleted",
    "FaceFile", "FaceQuestion", "Faces", "Failed", "FindMeshLandmarks", "FindPhotoLandmarks", "Hello", "IdentityId",
    "ImportFace", "JobId", "LandmarkCurves", "LearntFace", "Limits", "ListFaces", "MeshLandmarks", "Message", "Names",
    "PhotoLandmarks", "Ping", "Pong", "Progress", "RenameFace", "RenderRequest", "Request", "RigCurves", "RigFace",
    "RigText", "Said", "Seconds", "Seed", "SpokenWords", "Status", "StatusReport", "Text", "TextureFrames",
    "TranscriptText", "Welcome", "is_last", "new_id",
]  # fmt: skip


def _within(control: str) -> Meta:
    return Meta(ge=RANGES[control].least, le=RANGES[control].most)


class Hello(Message, frozen=True, kw_only=True, eq=False):
    """Introduces a client: its first message on each connection."""

    client: Text = ""  # program and version, for the log


class Welcome(Message, frozen=True, kw_only=True, eq=False):
    """Introduces the backend."""

    backend: Text  # program and version
    device: Text  # "cpu", "cuda:0"
    weights: tuple[str, ...] = ()  # the stages whose weights are present
    weights_version: Text = ""
    limits: Limits = Limits()
    spool_free_bytes: Count = 0


class AnimateRequest(Message, frozen=True, kw_only=True, eq=False):
    """Asks for the motion of one sound, and for its texture if wanted."""

    BUFFERS = (
        Buffer("speech", "<f4", ("S",)),
        Buffer("frame_times", "<f8", ("T",)),
        Buffer(
            "references", "|u1", ("H", "W", (3, 4)), is_optional=True, series="reference", max_count=MAX_IMAGE_COUNT
        ),
        *RigFace.BUFFERS,
    )

    sample_rate: Annotated[int, Meta(ge=8_000, le=192_000)]
    identity: IdentityId = ""  # empty without references: the mean face, landmarks only
    seed: Seed = 0
    wants_blink: bool = True
    wants_texture: bool = True
    size: Count = CROP_PIXELS  # of the frames, pixels a side, one of `FACE_SIZES`
    silence: Annotated[float, _within("silence")] = 0.0
    intensity: Annotated[float, _within("intensity")] = 1.0
    smoothing: Annotated[float, _within("smoothing")] = 0.0  # seconds
    lead: Annotated[float, _within("lead")] = 0.0  # seconds
    blink_gain: Annotated[float, _within("blink_gain")] = 1.0
    blink_frequency: Annotated[float, _within("blink_frequency")] = 1.0
    blink_duration: Annotated[float, _within("blink_duration")] = 1.0
    jaw: Annotated[float, _within("jaw")] = 1.0  # this and the next three: gains of regions of the face
    lips: Annotated[float, _within("lips")] = 1.0
    brows: Annotated[float, _within("brows")] = 1.0
    eyes: Annotated[float, _within("eyes")] = 1.0
    liveliness: Annotated[float, _within("liveliness")] = 0.0  # of head and brows
    speech: NDArray[np.float32]  # (S,) mono; scaled where it exceeds [-1, 1]
    frame_times: NDArray[np.float64]  # (T,) seconds within `speech`, ascending
    rig: RigText = ""  # a rig that ships by its name, or a mapping in JSON; empty: no `RigCurves`
    wants_speech: bool = False  # whether `SpokenWords` are wanted
    transcript: TranscriptText = ""  # what is said in `speech`; empty: only phones are told
    names: Names = ()  # of the references' files, for sentences; empty if unknown
    references: tuple[NDArray[np.uint8], ...] = ()  # instead of an identity: used without learning
    rig_rest: NDArray[np.float32] | None = None  # (68, 2); with `rig_basis`, `RigCurves` are solved: see `RigFace`
    rig_basis: NDArray[np.float32] | None = None  # (C, 68, 2) by which the channels of `rig` move the landmarks
    rig_confidence: NDArray[np.float32] | None = None  # (68,) 0 to 1, of the landmarks; None: 1

    @property
    def controls(self) -> MotionControls:
        """The motion controls of the request."""
        return MotionControls(**{name: getattr(self, name) for name in RANGES})

    @property
    def mapping(self) -> RigMapping | None:
        """How the motion moves the rig of the request; None without a rig."""
        return read_mapping(self.rig) if self.rig else None

    @property
    def rig_face(self) -> RigFace | None:
        """What the rig's channels do to its face; None where their names tell it."""
        if self.rig_rest is None or self.rig_basis is None:
            return None
        return RigFace(self.rig_rest, self.rig_basis, self.rig_confidence)

    @property
    def makes_texture(self) -> bool:
        """Whether frames are rendered: they are wanted, and there is a face."""
        return self.wants_texture and bool(self.identity or self.references)

    def check(self) -> None:
        """Checks the lengths, the sound, the times, and that not more than one face is named."""
        seconds = len(self.speech) / self.sample_rate
        if seconds > MAX_STRIP_SECONDS + 1:
            raise too_large(f"a sound of {seconds:.0f} s is too long; send at most {MAX_STRIP_SECONDS} s")
        if len(self.frame_times) > MAX_FRAME_COUNT:
            raise too_large(f"{len(self.frame_times)} frames are too many; send at most {MAX_FRAME_COUNT}")
        if not np.isfinite(self.speech).all():
            raise bad_value("the sound holds samples that are not finite numbers")
        if not np.isfinite(self.frame_times).all() or np.abs(self.frame_times).max() > 2 * MAX_STRIP_SECONDS:
            raise bad_value(f"frame times must lie within {2 * MAX_STRIP_SECONDS} s of the sound's beginning")
        if (np.diff(self.frame_times) <= 0).any():
            raise bad_value("frame times must ascend from frame to frame")
        if self.identity and self.references:
            raise bad_value("send either an identity or reference images, not both")
        if self.transcript and not self.wants_speech:
            raise bad_value("a transcript is of use only with wants_speech; set it, or leave the transcript out")
        check_size(self.size)
        check_images(self.references)
        check_names(self.names, len(self.references))
        check_rig(self.rig, self.rig_rest, self.rig_basis, self.rig_confidence, len(self.frame_times))


class Accepted(Message, frozen=True, kw_only=True, eq=False):
    """Tells that a job is in the queue; sent again whenever its position changes."""

    position: Count  # jobs before it; 0: it is running


class Progress(Message, frozen=True, kw_only=True, eq=False):
    """Tells the progress of a running job."""

    stage: Text
    step: Count
    steps: Count
    seconds_left: Seconds | None = None  # of the stage; None while unknown


class LandmarkCurves(Message, frozen=True, kw_only=True, eq=False):
    """The motion of a job: all its frames at once."""

    BUFFERS = (
        Buffer("landmarks", "<f4", ("T", 68, 2)),
        Buffer("canonical", "<f4", ("T", 68, 2)),
        Buffer("frame_times", "<f8", ("T",)),
        Buffer("neutral", "<f4", (68, 2)),
        Buffer("crop", "<f4", (2, 3)),
        Buffer("head", "<f4", ("T", 6), is_optional=True),
        Buffer("still", "<f4", ("T", 68, 2), is_optional=True),
    )

    image_size: Count = 256  # pixels, side of the crop
    landmarks: NDArray[np.float32]  # (T, 68, 2) pixels of the crop
    canonical: NDArray[np.float32]  # (T, 68, 2) canonical units
    frame_times: NDArray[np.float64]  # (T,) seconds, as requested
    neutral: NDArray[np.float32]  # (68, 2) pixels of the crop
    crop: NDArray[np.float32]  # (2, 3) affine from crop pixels to pixels of the first image
    head: NDArray[np.float32] | None = None  # (T, 6) as `shared.head.POSE`; where liveliness was asked for
    still: NDArray[np.float32] | None = None  # (T, 68, 2) landmarks of a head that is not turned; there too


class TextureFrames(Message, frozen=True, kw_only=True, eq=False):
    """Consecutive rendered frames of a job."""

    BUFFERS = (Buffer("frames", "|u1", ("N", "H", "W", 4)),)

    first_frame: Count  # index of frames[0] within the job's frames
    frames: NDArray[np.uint8]  # (N, size, size, 4) sRGB and straight alpha


class Done(Message, frozen=True, kw_only=True, eq=False):
    """Tells that a job succeeded; the last message of its results."""

    frame_count: Count = 0
    texture_count: Count = 0
    seconds: dict[str, Seconds] = {}  # noqa: RUF012 (stage -> seconds; msgspec copies the default)
    notes: Notes = ()  # what the user should know of the sound, the references and the result


class Failed(Message, frozen=True, kw_only=True, eq=False):
    """Tells that a job failed, or that a message was refused."""

    code: ErrorCode
    sentence: Text
    detail: Text = ""


class Cancelled(Message, frozen=True, kw_only=True, eq=False):
    """Tells that a job ended because a client asked for it."""


class Attach(Message, frozen=True, kw_only=True, eq=False):
    """Asks for the results of `job` that the client lacks, now and later."""

    received: Count = 0  # the highest sequence that the client has


class Cancel(Message, frozen=True, kw_only=True, eq=False):
    """Asks to end `job`, queued or running."""

    forgets: bool = False  # instead: delete `job`, which has ended, and its results


class Ping(Message, frozen=True, kw_only=True, eq=False):
    """Asks for a `Pong`."""


class Pong(Message, frozen=True, kw_only=True, eq=False):
    """Shows that the backend is alive."""


class Status(Message, frozen=True, kw_only=True, eq=False):
    """Asks for a `StatusReport`; the one message that needs no `Hello`."""

    jobs_from: Count | None = None  # also lists the jobs that have not ended, from this place on; None: no list
    ended_from: Count | None = None  # the same for the jobs that have ended and whose results are kept


class StatusReport(Message, frozen=True, kw_only=True, eq=False):
    """Tells how the backend is."""

    backend: Text  # program and version
    protocol: Text  # its version
    pid: Count
    uptime_seconds: Seconds
    state: Text  # "ready", "loading", "unhealthy"
    trouble: Text = ""  # why it is unhealthy, one sentence
    device: Text = ""
    weights_version: Text = ""
    worker: WorkerHealth | None = None
    queue_length: Count = 0
    jobs: JobCounts = JobCounts()
    client_count: Count = 0  # that said Hello and are connected
    spool_bytes: Count = 0
    spool_limit_bytes: Count = 0
    disk_free_bytes: Count = 0
    memory_bytes: Count = 0  # of the server process
    listed: JobList | None = None  # those that `Status` asked for, as they will run or as they came


Request = AdaptRequest | AnimateRequest | RenderRequest | FindMeshLandmarks | FindPhotoLandmarks  # each begins a job
FaceQuestion = ListFaces | RenameFace | DeleteFace | ExportFace | ImportFace  # each is answered at once
KINDS = {  # of jobs, in lists
    "AdaptRequest": "adapt",
    "AnimateRequest": "animate",
    "RenderRequest": "render",
    "FindMeshLandmarks": "landmarks",
    "FindPhotoLandmarks": "photos",
}

MESSAGE_TYPES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Hello, Welcome, AdaptRequest, Adapted, AnimateRequest, RenderRequest, Accepted, Progress, LandmarkCurves,
        RigCurves, SpokenWords, FindMeshLandmarks, MeshLandmarks, TextureFrames, Done, Failed, Cancelled, Attach,
        Cancel, Ping, Pong, Status, StatusReport, ListFaces, Faces, RenameFace, DeleteFace, FaceDeleted, ExportFace,
        FaceFile, ImportFace, FindPhotoLandmarks, PhotoLandmarks,
    )
}  # fmt: skip


def is_last(message: Message) -> bool:
    """Whether this message is the last that its job sends."""
    return isinstance(message, Done | Failed | Cancelled)
