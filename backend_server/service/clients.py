"""Tracks the connected clients, and what is still to be sent to each.

Results are read from the store when a client can take them, so a slow client costs no memory. Large ones go in chunks.
Messages that are not stored, such as progress, wait in a short queue per client and go between the chunks.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import KeysView
from dataclasses import dataclass, field

import zmq

from backend_server.service.outcome import failed, failure
from backend_server.service.storage.job_index import JobRecord
from backend_server.service.storage.queue_file import JobState
from backend_server.service.storage.store import JobStore
from shared import wire
from shared.chunks import CHUNK_BYTES, Sending
from shared.errors import ErrorCode, MessageError
from shared.protocol import Message, Pong
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

_LONGEST_QUEUE = 256  # messages; a client that floods the service gets no more answers
_RESULTS_PER_TURN = 8  # for one client, before the next client's turn
_PIECES_PER_TURN = 32


@dataclass
class _Result:
    """A result that is being sent, or an answer that is too large for one piece; then `job` is empty."""

    job: str
    sequence: int
    sending: Sending


@dataclass
class _Following:
    """A job whose results a client gets."""

    asked_by: str  # ID of the message that asked for them
    received: int  # results that the client had then
    next: int  # sequence to send next


@dataclass
class _Client:
    program: str
    heard: float
    queue: deque[list[Bytes]] = field(default_factory=deque)
    jobs: dict[str, _Following] = field(default_factory=dict)
    result: _Result | None = None
    answers: deque[list[Bytes]] = field(default_factory=deque)  # that are too large for one piece


class Clients:
    """The greeted clients of a ROUTER socket.

    Args:
        socket: with `router_mandatory` and a small send high-water mark.
        store: of the results.
    """

    def __init__(self, socket: zmq.Socket, store: JobStore) -> None:
        self._socket = socket
        self._store = store
        self._clients: dict[bytes, _Client] = {}
        self.has_more = False  # after `flush`: something is still to be sent

    @property
    def names(self) -> KeysView[bytes]:
        """The clients that said Hello and are not forgotten."""
        return self._clients.keys()

    def greet(self, name: bytes, program: str) -> None:
        """Notes that a client said Hello, and what it calls itself."""
        self._clients.setdefault(name, _Client(program, time.monotonic())).program = program

    def program(self, name: bytes) -> str:
        """What a client calls itself; empty if it did not say Hello."""
        client = self._clients.get(name)
        return client.program if client is not None else ""

    def knows(self, name: bytes) -> bool:
        """Whether a client said Hello; if so, notes that it was heard now."""
        client = self._clients.get(name)
        if client is not None:
            client.heard = time.monotonic()
        return client is not None

    def reply(self, name: bytes, message: Message) -> None:
        """Answers one client, greeted or not."""
        parts = wire.encode(message)
        client = self._clients.get(name)
        if client is None:
            self._send(name, parts)
        elif sum(len(part) for part in parts) > CHUNK_BYTES:
            client.answers.append(parts)
        elif len(client.queue) < _LONGEST_QUEUE:
            client.queue.append(parts)

    def large_answers(self, name: bytes) -> int:
        """How many answers that are too large for one piece wait for a client; what is asked for must bound them."""
        client = self._clients.get(name)
        return len(client.answers) if client is not None else 0

    def tell(self, job: str, message: Message) -> None:
        """Sends a message that is not stored to every client that follows a job."""
        parts: list[Bytes] | None = None
        for client in self._clients.values():
            if job in client.jobs and len(client.queue) < _LONGEST_QUEUE:
                parts = parts or wire.encode(message)
                client.queue.append(parts)

    def attach(self, name: bytes, job: str, received: int, asked_by: str) -> None:
        """Sends a client all results of a job after the first `received`, now and later.

        When the job has ended and there are none, the client is told so in answer to the message `asked_by`.
        """
        client = self._clients.get(name)
        if client is not None:
            client.jobs[job] = _Following(asked_by, received, received + 1)
            self._store.unpark(job)

    def follows(self, name: bytes, job: str) -> bool:
        """Whether a client is being sent the results of a job."""
        client = self._clients.get(name)
        return client is not None and job in client.jobs

    def is_attached(self, job: str) -> bool:
        """Whether any client is being sent the results of a job."""
        return any(job in client.jobs for client in self._clients.values())

    def follower_counts(self) -> Counter[str]:
        """How many clients are being sent the results of each job."""
        return Counter(job for client in self._clients.values() for job in client.jobs)

    def send_heartbeats(self) -> None:
        """Shows all clients that the service runs, also those whose own pings wait behind a long upload."""
        parts = wire.encode(Pong())
        for client in self._clients.values():
            if not client.queue:
                client.queue.append(parts)

    def flush(self) -> None:
        """Sends what can be sent without waiting."""
        self.has_more = False
        for name in list(self._clients):
            client = self._clients[name]
            while client.queue and self._send(name, client.queue[0]):
                client.queue.popleft()
            if client.queue or not self._send_result(name, client) or not self._send_answers(name, client):
                continue
            for job in list(client.jobs):
                try:
                    self._send_results(name, client, job)
                except Exception as error:  # it costs this job of this client, and nothing else
                    LOG.exception("the results of job %s cannot be sent", job)
                    client.jobs.pop(job, None)
                    client.queue.append(wire.encode(failure(error, job=job)))

    def forget(self, name: bytes) -> None:
        """Forgets a client; its next message is that of a stranger."""
        self._clients.pop(name, None)

    def forget_silent(self, seconds: float) -> None:
        """Forgets clients that sent nothing for this long."""
        limit = time.monotonic() - seconds
        self._clients = {name: client for name, client in self._clients.items() if client.heard >= limit}

    def _send_results(self, name: bytes, client: _Client, job: str) -> None:
        record = self._store.find(job)
        if record is None:
            del client.jobs[job]
            return
        following = client.jobs[job]
        for _ in range(_RESULTS_PER_TURN):
            if client.result is not None:  # of another job, and the client takes no more for now
                return
            sequence = following.next
            if sequence > record.results:
                if record.state is JobState.ENDED:
                    self._finish(client, record)
                return
            try:
                parts = self._store.result(job, sequence)
                if parts is None:  # it is being read
                    self.has_more = True
                    return
                sending = Sending(parts)
            except MessageError as error:
                LOG.error("%s", error)
                sending = Sending(wire.encode(failed(error.code, error.sentence, job=job)))
                sequence = following.next = record.results
            client.result = _Result(job, sequence, sending)
            if not self._send_result(name, client):
                return
        self.has_more = True

    def _finish(self, client: _Client, record: JobRecord) -> None:
        """Notes that a client has everything of a job that ended; one that was sent nothing is told why."""
        job, following = record.id, client.jobs.pop(record.id)
        if following.next == following.received + 1:
            sentence = (
                f"job {job} has ended with result {record.results}, so after result {following.received} nothing is "
                "left to send; ask with received 0 to get all results again"
            )
            client.queue.append(wire.encode(failed(ErrorCode.BAD_VALUE, sentence, job=job, parent=following.asked_by)))
            self.has_more = True
        self._store.note_delivered(job)

    def _send_answers(self, name: bytes, client: _Client) -> bool:
        """Sends what a client takes of its large answers; whether nothing of them is left."""
        while client.answers:
            client.result = _Result("", 0, Sending(client.answers.popleft()))
            if not self._send_result(name, client):
                return False
        return True

    def _send_result(self, name: bytes, client: _Client) -> bool:
        """Sends what a client takes of the result that is under way; whether nothing of it is left."""
        result = client.result
        if result is None:
            return True
        following = client.jobs.get(result.job)
        if result.job and (
            following is None or following.next != result.sequence
        ):  # the client has asked for others meanwhile
            client.result = None
            return True
        for _ in range(_PIECES_PER_TURN):
            if not self._send(name, result.sending.piece()):
                return False
            result.sending.advance()
            if result.sending.is_over:
                client.result = None
                if following is not None:
                    following.next += 1
                return True
        self.has_more = True
        return False

    def _send(self, name: bytes, parts: list[Bytes]) -> bool:
        try:
            self._socket.send_multipart([name, *parts], zmq.NOBLOCK)
        except zmq.Again:
            self.has_more = True
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._clients.pop(name, None)
            return False
        return True
