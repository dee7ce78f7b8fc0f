"""Cuts large messages into chunks.

    part 0   magic "SPFK", wire version (u16), CRC-32 of part 1 (u32), little-endian
    part 1   header, JSON: transfer, job, sizes of the message's parts, offset, CRC-32 of part 2
    part 2   the payload: bytes of the message from `offset` on, as if its parts lay in one row

A large message is never one long write, so that small messages and signs of life go between its chunks. The chunks of
a message come in order, and one connection carries one large message at a time in each direction. `assembly` puts them
together again. No sockets.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

import msgspec
from msgspec import Meta

from . import protocol, wire
from .errors import ErrorCode, MessageError
from .protocol import MAX_CHUNK_BYTES
from .wire import Bytes

MAGIC = b"SPFK"
CHUNK_BYTES = 256 * 1024  # of what is sent: encrypting it takes milliseconds, and sending it at 1 Mbit/s two seconds

_Size = Annotated[int, Meta(ge=0, le=2**40)]


class ChunkHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Part 1 of a chunk.

    Attributes:
        transfer: names the large message; its own ID.
        job: of the large message.
        sizes: bytes of each of its parts.
        offset: place of the payload's first byte.
        crc: CRC-32 of the payload.
    """

    transfer: Annotated[str, Meta(pattern=r"\A[0-9A-Za-z_-]{1,64}\Z")]
    job: protocol.JobId = ""
    sizes: Annotated[tuple[_Size, ...], Meta(min_length=3, max_length=wire.MAX_PARTS)]
    offset: _Size
    crc: Annotated[int, Meta(ge=0, le=2**32 - 1)]


_header_decoder = msgspec.json.Decoder(ChunkHeader)


def is_chunk(parts: Sequence[Bytes]) -> bool:
    """Whether these parts claim to be a chunk, and not a whole message."""
    return len(parts) > 0 and bytes(parts[0][: len(MAGIC)]) == MAGIC


class Sending:
    """A message on its way: whole if it is small, else chunk by chunk.

    Args:
        parts: of the message.

    Attributes:
        total_bytes: of the message.
        sent_bytes: of it that were taken.
        transfer: the message's ID if it travels in chunks; empty if it travels whole.

    Raises:
        MessageError: the parts are not a message.
    """

    def __init__(self, parts: Sequence[Bytes]) -> None:
        self._parts = parts
        self._ends = list(accumulate(len(part) for part in parts))
        self.total_bytes = self._ends[-1]
        self.sent_bytes = 0
        self.transfer = self._job = ""
        if self.total_bytes > CHUNK_BYTES:
            header = wire.read_header(parts)
            self.transfer, self._job = header.id or protocol.new_id(), header.job
        self._piece: list[Bytes] | None = None

    @property
    def is_over(self) -> bool:
        """Whether everything was taken."""
        return self.sent_bytes >= self.total_bytes

    def piece(self) -> list[Bytes]:
        """What to send next; the same until `advance`."""
        if not self.transfer:
            return list(self._parts)
        if self._piece is None:
            payload = self._payload()
            header = ChunkHeader(
                transfer=self.transfer,
                job=self._job,
                sizes=tuple(len(part) for part in self._parts),
                offset=self.sent_bytes,
                crc=zlib.crc32(payload),
            )
            text = msgspec.json.encode(header)
            self._piece = [wire.prefix(text, MAGIC), text, payload]
        return self._piece

    def advance(self) -> None:
        """Notes that the piece was taken."""
        self.sent_bytes += len(self.piece()[2]) if self.transfer else self.total_bytes
        self._piece = None

    def _payload(self) -> Bytes:
        """The next bytes: a view where they lie in one part, else a copy."""
        first, last = self.sent_bytes, min(self.sent_bytes + CHUNK_BYTES, self.total_bytes)
        views = []
        for part, end in zip(self._parts, self._ends, strict=True):
            begin = end - len(part)
            if begin < last and end > first:
                views.append(memoryview(part)[max(0, first - begin) : last - begin])
        return views[0] if len(views) == 1 else b"".join(views)


def read_chunk_header(parts: Sequence[Bytes]) -> ChunkHeader:
    """The header of a chunk; its payload is not checked yet.

    Raises:
        MessageError: the parts are not a chunk, or it is damaged or too large.
    """
    if len(parts) != 3:
        raise MessageError(f"a chunk has 3 parts, got {len(parts)}")
    if len(parts[1]) > wire.MAX_TEXT_BYTES or not 0 < len(parts[2]) <= MAX_CHUNK_BYTES:
        raise MessageError(
            f"a chunk of {len(parts[2])} bytes is refused; send 1 to {MAX_CHUNK_BYTES} bytes", code=ErrorCode.TOO_LARGE
        )
    wire.check_prefix(parts, MAGIC)
    try:
        return _header_decoder.decode(parts[1])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"the header of a chunk cannot be read: {error!s:.200}") from error
