"""Puts the chunks of large messages together again.

An `Assembler` holds what arrives on one connection, a `Budget` what all connections of a program may hold. Accepting a
chunk is quick; checking and copying its bytes is not, so another thread may do that.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import protocol, wire
from .chunks import ChunkHeader, read_chunk_header
from .errors import ErrorCode, MessageError
from .wire import Bytes

_UNKNOWN = ("is unknown here: its first chunks did not arrive; send it again from its beginning", ErrorCode.UNKNOWN_JOB)


class Budget:
    """How many bytes several assemblers may hold together.

    Args:
        most_bytes: the limit.
        elsewhere: bytes of messages that arrived, which something else holds and which count too.
    """

    def __init__(self, most_bytes: int = protocol.MAX_MESSAGE_BYTES, elsewhere: Callable[[], int] = lambda: 0) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self._elsewhere = elsewhere

    def shortage(self, needed: int) -> str:
        """Why there is no room for so many bytes, as the end of a sentence; empty if there is."""
        taken = self.held_bytes + self._elsewhere()
        if taken + needed <= self.most_bytes:
            return ""
        return (
            f"of {needed} bytes is refused: {taken} of {self.most_bytes} bytes are taken by other messages that are "
            "still arriving or wait for the disk; send it again later"
        )


class Transfer:
    """A large message that is arriving; it holds its bytes in the budget until `release`."""

    def __init__(self, header: ChunkHeader, budget: Budget) -> None:
        self.id, self.job, self.sizes = header.transfer, header.job, header.sizes
        self.total_bytes = sum(self.sizes)
        self.received_bytes = 0
        self.touched = time.monotonic()
        self._arrays = [np.empty(size, np.uint8) for size in self.sizes]  # memory that is not touched costs nothing
        self._budget = budget
        self._held_bytes = self.total_bytes
        budget.held_bytes += self.total_bytes
        self._damage: MessageError | None = None

    def write(self, offset: int, payload: Bytes, crc: int) -> None:
        """Puts bytes into their place.

        Raises:
            MessageError: the payload does not match its checksum.
        """
        if zlib.crc32(payload) != crc:
            self._damage = self.refusal(f"is damaged: the chunk at byte {offset} does not match its checksum")
            raise self._damage
        source, begin = np.frombuffer(payload, np.uint8), 0
        for array in self._arrays:
            first, last = max(offset, begin), min(offset + len(source), begin + len(array))
            if first < last:
                array[first - begin : last - begin] = source[first - offset : last - offset]
            begin += len(array)

    def parts(self) -> list[Bytes]:
        """The message, once every chunk was written.

        Raises:
            MessageError: a chunk was damaged.
        """
        if self._damage is not None:
            raise self._damage
        return [array.data for array in self._arrays]

    def release(self) -> None:
        """Frees its bytes in the budget."""
        self._budget.held_bytes -= self._held_bytes
        self._held_bytes = 0

    def refusal(self, reason: str, code: ErrorCode = ErrorCode.BAD_MESSAGE) -> MessageError:
        """An error that names this message."""
        return refusal(self.id, self.job, reason, code)


@dataclass(frozen=True)
class Piece:
    """One accepted chunk; `store` is the slow part, which another thread may do, in order.

    Attributes:
        transfer: the large message.
        offset: of the payload.
        payload: bytes of the message.
        crc: CRC-32 of the payload.
        is_last: whether the message is complete with it.
    """

    transfer: Transfer
    offset: int
    payload: Bytes
    crc: int
    is_last: bool

    def store(self) -> None:
        """Checks the payload and puts it into its place.

        Raises:
            MessageError: the payload does not match its checksum.
        """
        self.transfer.write(self.offset, self.payload, self.crc)


class Assembler:
    """Puts the chunks of one connection together.

    Args:
        budget: shared by all connections of a program.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._open: Transfer | None = None
        self._refused = ""  # transfer whose later chunks are ignored: it was refused once

    @property
    def open_job(self) -> str | None:
        """Job of the message that is arriving; None while there is none."""
        return None if self._open is None else self._open.job

    def take(self, parts: Sequence[Bytes]) -> list[Bytes] | None:
        """Takes a chunk; the parts of the message when it is complete, else None.

        Raises:
            MessageError: as `admit`, or the payload is damaged.
        """
        piece = self.admit(parts)
        if piece is None:
            return None
        try:
            piece.store()
        except MessageError:
            self._refuse(piece.transfer.id)
            raise
        if not piece.is_last:
            return None
        piece.transfer.release()
        return piece.transfer.parts()

    def admit(self, parts: Sequence[Bytes]) -> Piece | None:
        """Accepts a chunk by its header; None for the rest of a message that was refused before.

        A chunk at offset 0 begins a message, and what was not finished before is dropped. The caller releases the
        transfer after the last piece.

        Raises:
            MessageError: the chunk is damaged, lost its predecessor, came twice, or the message is too large. It names
                the transfer, in the sentence and as `message_id`, when the header could be read.
        """
        header = read_chunk_header(parts)
        if header.offset == 0:
            self.drop()
            self._refused = ""
            self._begin(header)
        transfer = self._open
        if transfer is None or transfer.id != header.transfer:
            if header.transfer == self._refused:
                return None
            raise self._refuse(header.transfer, header.job, *_UNKNOWN)
        end = header.offset + len(parts[2])
        if header.offset != transfer.received_bytes or header.sizes != transfer.sizes or end > transfer.total_bytes:
            reason = (
                f"is refused: bytes {header.offset} to {end} of {sum(header.sizes)} came where byte "
                f"{transfer.received_bytes} of {transfer.total_bytes} was due; send its chunks once and in order"
            )
            raise self._refuse(header.transfer, header.job, reason, ErrorCode.BAD_MESSAGE)
        transfer.received_bytes = end
        transfer.touched = time.monotonic()
        is_last = end == transfer.total_bytes
        if is_last:
            self._open = None
        return Piece(transfer=transfer, offset=header.offset, payload=parts[2], crc=header.crc, is_last=is_last)

    def touch(self) -> None:
        """Notes that the message that is arriving is not idle, although no chunk comes."""
        if self._open is not None:
            self._open.touched = time.monotonic()

    def drop(self, idle_seconds: float = 0.0) -> None:
        """Gives up a message that is not complete and has not grown for so long."""
        if self._open is not None and time.monotonic() - self._open.touched >= idle_seconds:
            self._open.release()
            self._open = None

    def _begin(self, header: ChunkHeader) -> None:
        try:
            wire.check_sizes(header.sizes)
        except MessageError as error:
            raise self._refuse(header.transfer, header.job, f"is refused: {error.sentence}", error.code) from error
        total = sum(header.sizes)
        if shortage := self._budget.shortage(total):
            raise self._refuse(header.transfer, header.job, shortage, ErrorCode.OUT_OF_MEMORY)
        try:
            self._open = Transfer(header, self._budget)
        except MemoryError as error:
            reason = f"of {total} bytes is refused: there is no memory for it; use a shorter strip or fewer images"
            raise self._refuse(header.transfer, header.job, reason, ErrorCode.OUT_OF_MEMORY) from error

    def _refuse(
        self, transfer: str, job: str = "", reason: str = "", code: ErrorCode = ErrorCode.BAD_MESSAGE
    ) -> MessageError:
        self.drop()
        self._refused = transfer
        return refusal(transfer, job, reason, code)


def refusal(message_id: str, job: str, reason: str, code: ErrorCode) -> MessageError:
    """An error that names the large message that is refused."""
    error = MessageError(f"the message {message_id} {reason}", code=code)
    error.message_id, error.job = message_id, job
    return error
