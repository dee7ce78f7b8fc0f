"""Defines the messages between the add-on and the backend.

One Struct per message. The types state the ranges, and `wire` checks them on both sides. A message's `id`, `parent`,
`job` and `sequence` travel in the header, arrays as buffers, everything else in the content.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar
from uuid import uuid4

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .errors import ErrorCode, MessageError
from .health import JobCounts, JobList, WorkerHealth
from .motion_controls import RANGES, MotionControls
from .notes import Notes

PROTOCOL_VERSION = "2.2"  # another major version is refused; a minor one adds fields and messages

MAX_STRIP_SECONDS = 60 * 60
MAX_FRAME_COUNT = MAX_STRIP_SECONDS * 120  # each takes 544 bytes in a buffer of `LandmarkCurves`
MAX_IMAGE_COUNT = 20
MAX_IMAGE_PIXELS = 64 * 1024 * 1024
MAX_IMAGE_SIDE = 32 * 1024  # pixels; a stripe of one pixel's width is no picture of a face
MAX_PART_BYTES = 768 * 1024 * 1024  # an hour of float32 at 48 kHz takes 660 MiB
MAX_MESSAGE_BYTES = 3 * 1024 * 1024 * 1024  # twenty images of 48 MPixel take 2.7 GiB
MAX_CHUNK_BYTES = 4 * 1024 * 1024  # of what is written at once; larger messages travel in `chunks`
MAX_EPOCHS = 200
HEARTBEAT_SECONDS = 1.0  # after three pings without an answer: disconnected

JobId = Annotated[str, Meta(pattern=r"\A[0-9A-Za-z_-]{0,64}\Z", description="empty, or chosen by the client")]
IdentityId = Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z", description="empty, or a sha256")]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0.0)]
Text = Annotated[str, Meta(max_length=20_000)]
Names = Annotated[tuple[Annotated[str, Meta(max_length=255)], ...], Meta(max_length=MAX_IMAGE_COUNT)]

_bad_value = partial(MessageError, code=ErrorCode.BAD_VALUE)
_too_large = partial(MessageError, code=ErrorCode.TOO_LARGE)


def _within(control: str) -> Meta:
    return Meta(ge=RANGES[control].least, le=RANGES[control].most)


def new_id() -> str:
    """A new ID for a message or a job."""
    return uuid4().hex


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False, tag=True):
    """The fields of every message.

    Attributes:
        id: of this message.
        parent: ID of the message that this one answers; empty if none.
        job: ID of the job it belongs to; empty if none.
        sequence: 1, 2, ... for the results of a job, which `Attach` replays; 0 for everything else.
    """

    BUFFERS: ClassVar[tuple[Buffer, ...]] = ()

    id: JobId = msgspec.field(default_factory=new_id)
    parent: JobId = ""
    job: JobId = ""
    sequence: Count = 0

    def check(self) -> None:
        """Checks what the types of the fields cannot state; the shapes of the buffers are checked before.

        Raises:
            MessageError: a value lies outside its range.
        """


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one message may carry."""

    strip_seconds: Count = MAX_STRIP_SECONDS
    image_count: Count = MAX_IMAGE_COUNT
    image_pixels: Count = MAX_IMAGE_PIXELS
    image_side: Count = MAX_IMAGE_SIDE
    part_bytes: Count = MAX_PART_BYTES
    message_bytes: Count = MAX_MESSAGE_BYTES
    chunk_bytes: Count = MAX_CHUNK_BYTES


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


class AdaptRequest(Message, frozen=True, kw_only=True, eq=False):
    """Asks for an identity from 1 to 20 images of one face, as pixels or as the files that hold them."""

    BUFFERS = (
        Buffer("images", "|u1", ("H", "W", (3, 4)), is_optional=True, series="image", max_count=MAX_IMAGE_COUNT),
        Buffer("files", "|u1", ("N",), is_optional=True, series="file", max_count=MAX_IMAGE_COUNT),
        Buffer("landmarks", "<f4", ("K", 68, 2), is_optional=True),
    )

    epochs: Annotated[int, Meta(ge=0, le=MAX_EPOCHS)] = 10
    seed: Seed = 0
    names: Names = ()  # for sentences: those of `images`, then those of `files`; empty if unknown
    images: tuple[NDArray[np.uint8], ...] = ()  # each (H, W, 3) sRGB, or (H, W, 4) with straight alpha, any size
    files: tuple[NDArray[np.uint8], ...] = ()  # each (N,): the bytes of an image file; these images come after `images`
    landmarks: NDArray[np.float32] | None = None  # (K, 68, 2) image pixels; NaN for an image: find them

    def check(self) -> None:
        """Checks the size of the images and that landmarks, if any, belong to them."""
        if not (count := len(self.images) + len(self.files)):
            raise _bad_value("the message has no images; send at least one")
        if count > MAX_IMAGE_COUNT:
            raise _too_large(f"{count} images are too many; send at most {MAX_IMAGE_COUNT}")
        _check_images(self.images)
        _check_names(self.names, count)
        if self.landmarks is None:
            return
        if len(self.landmarks) != count:
            raise _bad_value(f"got landmarks of {len(self.landmarks)} images for {count} images")
        if not np.isfinite(self.landmarks[~np.isnan(self.landmarks).all(axis=(1, 2))]).all():
            raise _bad_value("landmarks must be finite, or NaN for a whole image")


class Adapted(Message, frozen=True, kw_only=True, eq=False):
    """Tells that an identity is ready for use in an `AnimateRequest`."""

    BUFFERS = (Buffer("neutral", "<f4", (68, 2)), Buffer("crop", "<f4", (2, 3)))

    identity: IdentityId
    epochs: Count = 0
    is_cached: bool = False  # it was known already; nothing was computed
    losses: tuple[float, ...] = ()
    held_out_psnr: float | None = None  # dB
    notes: Notes = ()  # about the images
    neutral: NDArray[np.float32]  # (68, 2) pixels of the crop
    crop: NDArray[np.float32]  # (2, 3) affine from crop pixels to pixels of the first image


class AnimateRequest(Message, frozen=True, kw_only=True, eq=False):
    """Asks for the motion of one sound, and for its texture if wanted."""

    BUFFERS = (
        Buffer("speech", "<f4", ("S",)),
        Buffer("frame_times", "<f8", ("T",)),
        Buffer(
            "references", "|u1", ("H", "W", (3, 4)), is_optional=True, series="reference", max_count=MAX_IMAGE_COUNT
        ),
    )

    sample_rate: Annotated[int, Meta(ge=8_000, le=192_000)]
    identity: IdentityId = ""  # empty without references: the mean face, landmarks only
    seed: Seed = 0
    wants_blink: bool = True
    wants_texture: bool = True
    silence: Annotated[float, _within("silence")] = 0.0
    intensity: Annotated[float, _within("intensity")] = 1.0
    smoothing: Annotated[float, _within("smoothing")] = 0.0  # seconds
    lead: Annotated[float, _within("lead")] = 0.0  # seconds
    blink_gain: Annotated[float, _within("blink_gain")] = 1.0
    blink_frequency: Annotated[float, _within("blink_frequency")] = 1.0
    blink_duration: Annotated[float, _within("blink_duration")] = 1.0
    speech: NDArray[np.float32]  # (S,) mono; scaled where it exceeds [-1, 1]
    frame_times: NDArray[np.float64]  # (T,) seconds within `speech`, ascending
    names: Names = ()  # of the references' files, for sentences; empty if unknown
    references: tuple[NDArray[np.uint8], ...] = ()  # instead of an identity: used without learning

    @property
    def controls(self) -> MotionControls:
        """The motion controls of the request."""
        return MotionControls(**{name: getattr(self, name) for name in RANGES})

    @property
    def makes_texture(self) -> bool:
        """Whether frames are rendered: they are wanted, and there is a face."""
        return self.wants_texture and bool(self.identity or self.references)

    def check(self) -> None:
        """Checks the lengths, the sound, the times, and that not more than one face is named."""
        seconds = len(self.speech) / self.sample_rate
        if seconds > MAX_STRIP_SECONDS + 1:
            raise _too_large(f"a sound of {seconds:.0f} s is too long; send at most {MAX_STRIP_SECONDS} s")
        if len(self.frame_times) > MAX_FRAME_COUNT:
            raise _too_large(f"{len(self.frame_times)} frames are too many; send at most {MAX_FRAME_COUNT}")
        if not np.isfinite(self.speech).all():
            raise _bad_value("the sound holds samples that are not finite numbers")
        if not np.isfinite(self.frame_times).all() or np.abs(self.frame_times).max() > 2 * MAX_STRIP_SECONDS:
            raise _bad_value(f"frame times must lie within {2 * MAX_STRIP_SECONDS} s of the sound's beginning")
        if (np.diff(self.frame_times) <= 0).any():
            raise _bad_value("frame times must ascend from frame to frame")
        if self.identity and self.references:
            raise _bad_value("send either an identity or reference images, not both")
        _check_images(self.references)
        _check_names(self.names, len(self.references))


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
    )

    image_size: Count = 256  # pixels, side of the crop
    landmarks: NDArray[np.float32]  # (T, 68, 2) pixels of the crop
    canonical: NDArray[np.float32]  # (T, 68, 2) canonical units
    frame_times: NDArray[np.float64]  # (T,) seconds, as requested
    neutral: NDArray[np.float32]  # (68, 2) pixels of the crop
    crop: NDArray[np.float32]  # (2, 3) affine from crop pixels to pixels of the first image


class TextureFrames(Message, frozen=True, kw_only=True, eq=False):
    """Consecutive rendered frames of a job."""

    BUFFERS = (Buffer("frames", "|u1", ("N", "H", "W", 4)),)

    first_frame: Count  # index of frames[0] within the job's frames
    frames: NDArray[np.uint8]  # (N, 256, 256, 4) sRGB and straight alpha


class Done(Message, frozen=True, kw_only=True, eq=False):
    """Tells that a job succeeded; the last message of its results."""

    frame_count: Count = 0
    texture_count: Count = 0
    seconds: dict[str, Seconds] = {}  # stage -> seconds; msgspec copies the default
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


MESSAGE_TYPES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Hello, Welcome, AdaptRequest, Adapted, AnimateRequest, Accepted, Progress, LandmarkCurves, TextureFrames,
        Done, Failed, Cancelled, Attach, Cancel, Ping, Pong, Status, StatusReport,
    )
}  # fmt: skip


def is_last(message: Message) -> bool:
    """Whether this message is the last that its job sends."""
    return isinstance(message, Done | Failed | Cancelled)


def _check_images(images: tuple[NDArray[np.uint8], ...]) -> None:
    for index, image in enumerate(images):
        height, width = image.shape[:2]
        refused = f"image {index} has {width} x {height} pixels; send at most"
        if height * width > MAX_IMAGE_PIXELS:
            raise _too_large(f"{refused} {MAX_IMAGE_PIXELS / 2**20:.0f} megapixels")
        if max(height, width) > MAX_IMAGE_SIDE:
            raise _too_large(f"{refused} {MAX_IMAGE_SIDE} pixels along a side")


def _check_names(names: tuple[str, ...], image_count: int) -> None:
    if names and len(names) != image_count:
        raise _bad_value(f"got {len(names)} names for {image_count} images; send one for each, or none")
