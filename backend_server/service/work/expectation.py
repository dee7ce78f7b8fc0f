"""Says which results a request must have, so that an end with results missing is not taken for success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from shared import wire
from shared.errors import MessageError
from shared.protocol import Done
from shared.render_messages import CROP_PIXELS
from shared.wire import Bytes

FRAMES_PER_MESSAGE = 16  # 4 MiB of 256 x 256 RGBA


class _Wishes(msgspec.Struct, frozen=True):
    """The fields of an `AnimateRequest`, or of a `RenderRequest`, on which the number of results depends."""

    identity: str = ""
    wants_texture: bool = True
    size: int = CROP_PIXELS
    rig: str = ""
    wants_speech: bool = False


def frames_per_message(size: int) -> int:
    """How many frames of so many pixels a side a message has: the same bytes whatever the size, if it has several."""
    return max(1, FRAMES_PER_MESSAGE * CROP_PIXELS**2 // size**2)


@dataclass(frozen=True)
class Expectation:
    """The results of one request.

    Attributes:
        frame_count: of motion; 0 for a request that makes no motion.
        texture_count: rendered frames.
        before_texture: how many messages come before the first rendered frames.
        size: of these, pixels a side.
    """

    frame_count: int
    texture_count: int
    before_texture: int = 1
    size: int = CROP_PIXELS

    @property
    def results(self) -> int:
        """How many messages come before the last one."""
        return self.before_texture + -(-self.texture_count // frames_per_message(self.size))

    def lack(self, done: Done, results: int) -> str | None:
        """What is missing when a job says that it is done; None when everything is there.

        Args:
            done: its last message.
            results: how many messages came before it.
        """
        if results != self.results:
            return f"{results} of {self.results} results arrived"
        if done.frame_count != self.frame_count:
            return f"{done.frame_count} of {self.frame_count} frames of motion were made"
        if done.texture_count != self.texture_count:
            return f"{done.texture_count} of {self.texture_count} frames were rendered"
        return None


def expectation(request: Sequence[Bytes]) -> Expectation:
    """What the results of a request must be, from its header and its content alone.

    Raises:
        MessageError: the request cannot be read.
    """
    header = wire.read_header(request)
    if header.type == "FindPhotoLandmarks":
        photos = [buffer for buffer in header.buffers if buffer.name.startswith(("image_", "file_"))]
        return Expectation(0, 0, before_texture=len(photos))
    if header.type not in ("AnimateRequest", "RenderRequest"):
        return Expectation(0, 0)
    frames = "landmarks" if header.type == "RenderRequest" else "frame_times"
    try:
        wishes = msgspec.json.decode(request[2], type=_Wishes)
        frame_count, *_ = next(buffer.shape for buffer in header.buffers if buffer.name == frames)
    except (msgspec.MsgspecError, UnicodeDecodeError, StopIteration, ValueError) as error:
        raise MessageError(f"the stored request cannot be read: {error}") from error
    if header.type == "RenderRequest":
        return Expectation(0, frame_count, before_texture=0, size=wishes.size)
    has_face = bool(wishes.identity) or any(buffer.name.startswith("reference_") for buffer in header.buffers)
    texture_count = frame_count if wishes.wants_texture and has_face else 0
    before_texture = 1 + bool(wishes.rig) + wishes.wants_speech
    return Expectation(frame_count, texture_count, before_texture, wishes.size)
