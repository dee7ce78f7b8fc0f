"""Reads large messages without delay for the other clients.

Checksums and hashes of hundreds of megabytes take longer than a heartbeat. One thread does them; the messages of a
client stay in their order.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from backend_server.identities.store import identity_id
from backend_server.service.outcome import failure
from shared import wire
from shared.errors import MessageError
from shared.protocol import AdaptRequest, AnimateRequest, Message, new_id
from shared.wire import Bytes

LARGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Arrival:
    """A message that was read, or the reason why it was refused.

    Attributes:
        message: what arrived; None if it was refused.
        parts: its bytes, to be kept if it is a request.
        refusal: why it was refused.
        identity: the ID of the face that an `AdaptRequest` would make; empty while the weights are unknown.
    """

    message: Message | None
    parts: Sequence[Bytes] = ()
    refusal: MessageError | None = None
    identity: str = ""


def read(parts: Sequence[Bytes], weights_version: str | None) -> Arrival:
    """Decodes a message; a request without a job ID gets one."""
    try:
        message = wire.decode(parts)
    except MessageError as error:
        return Arrival(None, refusal=error)
    if isinstance(message, AdaptRequest | AnimateRequest) and not message.job:
        message = msgspec.structs.replace(message, job=new_id())
        parts = wire.encode(message)
    if isinstance(message, AdaptRequest) and weights_version is not None:
        identity = identity_id(
            message.images,
            message.landmarks,
            epochs=message.epochs,
            seed=message.seed,
            weights_version=weights_version,
        )
        return Arrival(message, parts, identity=identity)
    return Arrival(message, parts)


class Intake:
    """The messages that are being read."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "intake")
        self._pending: deque[tuple[bytes, Future[Arrival]]] = deque()
        self._counts: Counter[bytes] = Counter()

    @property
    def is_busy(self) -> bool:
        """Whether something is being read."""
        return bool(self._pending)

    def must_take(self, client: bytes, parts: Sequence[Bytes]) -> bool:
        """Whether the intake must read this message: it is large, or must stay behind a large one."""
        return self._counts[client] > 0 or sum(len(part) for part in parts) > LARGE_BYTES

    def put(self, client: bytes, parts: Sequence[Bytes], weights_version: str | None) -> None:
        """Begins to read a message."""
        self._counts[client] += 1
        self._pending.append((client, self._thread.submit(_read_anything, parts, weights_version)))

    def take(self) -> Iterator[tuple[bytes, Arrival]]:
        """What has been read since the last call, in order, with the clients."""
        while self._pending and self._pending[0][1].done():
            client, future = self._pending.popleft()
            self._counts[client] -= 1
            if self._counts[client] == 0:
                del self._counts[client]
            yield client, future.result()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(cancel_futures=True)


def _read_anything(parts: Sequence[Bytes], weights_version: str | None) -> Arrival:
    try:
        return read(parts, weights_version)
    except Exception as error:  # noqa: BLE001 (it costs this message, and nothing else)
        told = failure(error)
        return Arrival(None, refusal=MessageError(told.sentence, code=told.code))
