"""Defines what all messages between clients and backend have in common: their fields, and how much one may carry.

The types state the ranges, and `wire` checks them on both sides. `protocol` defines the messages themselves.
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

PROTOCOL_VERSION = "2.6"  # another major version is refused; a minor one adds fields and messages

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

bad_value = partial(MessageError, code=ErrorCode.BAD_VALUE)
too_large = partial(MessageError, code=ErrorCode.TOO_LARGE)


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


def check_images(images: tuple[NDArray[np.uint8], ...]) -> None:
    """Raises MessageError when an image is too large."""
    for index, image in enumerate(images):
        height, width = image.shape[:2]
        refused = f"image {index} has {width} x {height} pixels; send at most"
        if height * width > MAX_IMAGE_PIXELS:
            raise too_large(f"{refused} {MAX_IMAGE_PIXELS / 2**20:.0f} megapixels")
        if max(height, width) > MAX_IMAGE_SIDE:
            raise too_large(f"{refused} {MAX_IMAGE_SIDE} pixels along a side")


def check_names(names: tuple[str, ...], image_count: int) -> None:
    """Raises MessageError when there are names, but not one for each image."""
    if names and len(names) != image_count:
        raise bad_value(f"got {len(names)} names for {image_count} images; send one for each, or none")
