"""Reads large messages without delay for the other clients.

Large messages arrive in chunks. Checksums, copies and hashes of hundreds of megabytes take longer than a heartbeat, so
one thread does them; the loop reads only the headers of the chunks. The messages of a client stay in their order.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from backend_server.identities.store import identity_id
from backend_server.service.outcome import failure
from shared import wire
from shared.assembly import Assembler, Budget, Piece, Transfer, refusal
from shared.errors import ErrorCode, MessageError
from shared.protocol import AdaptRequest, Message, Request, new_id
from shared.wire import Bytes

LARGE_BYTES = 1024 * 1024
MAX_OPEN_BYTES = 4 * 1024 * 1024 * 1024  # of the large messages of all clients that are arriving or wait for the disk
IDLE_SECONDS = 60.0  # a large message that does not grow for so long is given up


@dataclass(frozen=True)
class Arrival:
    """A message that was read, or the reason why it was refused.

    Attributes:
        message: what arrived; None if it was refused.
        parts: its bytes, to be kept if it is a request.
        refusal: why it was refused.
        identity: the ID of the face that an `AdaptRequest` would make; empty while the weights are unknown, and where
            only the worker can tell because image files must be read.
    """

    message: Message | None
    parts: Sequence[Bytes] = ()
    refusal: MessageError | None = None
    identity: str = ""


@dataclass(frozen=True)
class _Reading:
    client: bytes
    future: Future[Arrival]
    transfer: Transfer | None
    size: int  # bytes that the intake holds besides the transfer


def read(parts: Sequence[Bytes], weights_version: str | None) -> Arrival:
    """Decodes a message; a request without a job ID gets one."""
    try:
        message = wire.decode(parts)
    except MessageError as error:
        return Arrival(None, refusal=error)
    if isinstance(message, Request) and not message.job:
        message = msgspec.structs.replace(message, job=new_id())
        parts = wire.encode(message)
    if isinstance(message, AdaptRequest) and weights_version is not None and not message.files:
        identity = identity_id(
            message.images,
            message.landmarks,
            epochs=message.epochs,
            seed=message.seed,
            weights_version=weights_version,
            chosen=message.chosen,
        )
        return Arrival(message, parts, identity=identity)
    return Arrival(message, parts)


class Intake:
    """The messages that are being read.

    Args:
        most_bytes: of the large messages of all clients that are arriving.
        unwritten_bytes: bytes that arrived and wait for the disk; they count too.
    """

    def __init__(self, most_bytes: int = MAX_OPEN_BYTES, unwritten_bytes: Callable[[], int] = lambda: 0) -> None:
        self._thread = ThreadPoolExecutor(1, "intake")
        self._budget = Budget(most_bytes, unwritten_bytes)
        self._assemblers: dict[bytes, Assembler] = {}
        self._pending: deque[_Reading] = deque()
        self._counts: Counter[bytes] = Counter()

    @property
    def is_busy(self) -> bool:
        """Whether something is being read."""
        return bool(self._pending)

    def must_take(self, client: bytes, parts: Sequence[Bytes]) -> bool:
        """Whether the intake must read this message: it is large, or must stay behind a large one."""
        return self._counts[client] > 0 or sum(len(part) for part in parts) > LARGE_BYTES

    def put(self, client: bytes, parts: Sequence[Bytes], weights_version: str | None) -> None:
        """Begins to read a message.

        Raises:
            MessageError: it is large and there is no room for it.
        """
        size = sum(len(part) for part in parts)
        if size > LARGE_BYTES and (shortage := self._budget.shortage(size)):
            header = wire.read_header(parts)
            raise refusal(header.id, header.job, shortage, ErrorCode.OUT_OF_MEMORY)
        self._budget.held_bytes += size
        self._begin(client, self._thread.submit(_read_anything, parts, weights_version), size=size)

    def put_chunk(self, client: bytes, parts: Sequence[Bytes], weights_version: str | None) -> None:
        """Takes one chunk of a large message, and begins to read the message when it is complete.

        Raises:
            MessageError: as `Assembler.admit`.
        """
        assembler = self._assemblers.setdefault(client, Assembler(self._budget))
        piece = assembler.admit(parts)
        if piece is None:
            return
        self._thread.submit(_store, piece)
        if piece.is_last:
            future = self._thread.submit(_read_transfer, piece.transfer, weights_version)
            self._begin(client, future, piece.transfer)

    def abandon(self, client: bytes, job: str | None = None) -> None:
        """Drops the large message that is arriving from a client, whatever it is or if it belongs to a job."""
        assembler = self._assemblers.get(client)
        if assembler is not None and (job is None or assembler.open_job == job):
            assembler.drop()

    def touch(self) -> None:
        """Notes that no large message is idle although none grows: the clients were asked to pause."""
        for assembler in self._assemblers.values():
            assembler.touch()

    def keep_only(self, clients: Container[bytes]) -> None:
        """Drops the large messages of clients that are gone, and those that do not grow."""
        for client, assembler in list(self._assemblers.items()):
            is_gone = client not in clients
            assembler.drop(0.0 if is_gone else IDLE_SECONDS)
            if is_gone:
                del self._assemblers[client]

    def take(self) -> Iterator[tuple[bytes, Arrival]]:
        """What has been read since the last call, in order, with the clients."""
        while self._pending and self._pending[0].future.done():
            reading = self._pending.popleft()
            self._counts[reading.client] -= 1
            if self._counts[reading.client] == 0:
                del self._counts[reading.client]
            self._budget.held_bytes -= reading.size
            if reading.transfer is not None:
                reading.transfer.release()
            yield reading.client, reading.future.result()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _begin(self, client: bytes, future: Future[Arrival], transfer: Transfer | None = None, size: int = 0) -> None:
        self._counts[client] += 1
        self._pending.append(_Reading(client, future, transfer, size))


def _store(piece: Piece) -> None:
    try:
        piece.store()
    except MessageError:  # the transfer keeps it, and says so when its message is read
        return


def _read_transfer(transfer: Transfer, weights_version: str | None) -> Arrival:
    try:
        parts = transfer.parts()
    except MessageError as error:
        return Arrival(None, refusal=error)
    return _read_anything(parts, weights_version)


def _read_anything(parts: Sequence[Bytes], weights_version: str | None) -> Arrival:
    try:
        return read(parts, weights_version)
    except Exception as error:  # noqa: BLE001 (it costs this message, and nothing else)
        told = failure(error)
        return Arrival(None, refusal=MessageError(told.sentence, code=told.code))
