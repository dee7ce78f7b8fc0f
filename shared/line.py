"""Talks to the backend without ever waiting for it: the state of one client's connection.

`poll` returns at once what has arrived, sends what the socket takes, keeps the heartbeat, notices three missed answers,
and reconnects with growing pauses. Large messages go and come in chunks; small ones go between them, and each chunk
that is taken or arrives is a sign of life. No chunk is sent while the backend asks for a pause. The connection file is
read again at every attempt, because a restarted backend has another port. The add-on and the client library use it,
each with a ZeroMQ socket of its own: there are no sockets here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from . import assembly, chunks, endpoint, errors, pause, protocol, wire

MISSED_HEARTBEATS = 3
FIRST_PAUSE_SECONDS = 1.0  # until the next attempt; doubles up to
LONGEST_PAUSE_SECONDS = 8.0
MESSAGES_PER_POLL = 4  # so that a burst of pictures does not hold up the window
CHUNKS_PER_POLL = 64  # in each direction
RECEIVE_QUEUE = 64  # messages that wait inside ZeroMQ before the backend's own queue grows
SEND_QUEUE = 16  # chunks that wait inside ZeroMQ, where nothing can overtake them
STARTUP_SECONDS = 120.0  # importing torch from a cold disk
LOST_SECONDS = 60.0  # the longest wait for a lost connection


class Socket(Protocol):
    """A DEALER with CURVE keys, on its way to the backend; only `wait` waits."""

    def send(self, parts: Sequence[wire.Bytes]) -> bool:
        """Whether the parts were taken; False when that would have to wait.

        Raises:
            OSError: the socket is of no more use.
        """
        ...

    def receive(self) -> Sequence[wire.Bytes] | None:
        """The parts of the next message; None when none has arrived."""
        ...

    def wait(self, seconds: float, *, until_it_takes: bool) -> None:
        """Waits until something arrives, or until parts would be taken if that is wanted; at most `seconds`."""
        ...

    def close(self) -> None:
        """Ends the connection; what was not sent is lost."""
        ...


class LineState(StrEnum):
    """The state of the connection."""

    CONNECTING = "connecting"
    READY = "ready"
    CLOSED = "closed"


class Line:
    """One client's connection to one backend.

    Args:
        read_connection: returns the connection, or raises ConnectionFileError while there is none.
        open_socket: makes a socket to that connection.
        name: program and version, for the backend's log.
        clock: gives seconds, and never runs backwards.
        cancels: IDs of jobs that were cancelled through an earlier client, and that may not be over yet.

    Attributes:
        clock: as given.
        state: of the connection.
        unready_since: when the backend last answered, or the line began; None while connected.
        welcome: what the backend said of itself; None before.
        last_error: why there is no connection yet; None if unknown.
    """

    def __init__(
        self,
        read_connection: Callable[[], endpoint.Connection],
        open_socket: Callable[[endpoint.Connection], Socket],
        name: str,
        clock: Callable[[], float] = time.monotonic,
        cancels: set[str] | None = None,
    ) -> None:
        self._read_connection = read_connection
        self._open_socket = open_socket
        self._name = name
        self.clock = clock
        self._cancels = set() if cancels is None else cancels
        self._socket: Socket | None = None
        self._small: deque[chunks.Sending] = deque()
        self._large: deque[tuple[str, chunks.Sending]] = deque()  # with the message's ID; one after the other
        self._assembler = assembly.Assembler()
        self._upload_pause = pause.UploadPause(clock)
        self._hello_id = ""
        self._next_attempt = clock()
        self._pause = FIRST_PAUSE_SECONDS
        self._last_ping = clock()
        self._missed = 0
        self.state = LineState.CONNECTING
        self.unready_since: float | None = clock()
        self.welcome: protocol.Welcome | None = None
        self.last_error: errors.SpeechFaceError | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the backend has said Welcome and answers."""
        return self.state is LineState.READY

    @property
    def has_open_cancels(self) -> bool:
        """Whether the backend has not yet said that every job that was cancelled is over."""
        return bool(self._cancels)

    @property
    def seconds_unready(self) -> float:
        """How long the backend has not answered; 0 while connected."""
        return 0.0 if self.unready_since is None else self.clock() - self.unready_since

    def check_patience(self, seconds: float) -> None:
        """Gives up a backend that has not answered for so many seconds.

        Raises:
            SpeechFaceError: it has not, and the sentence says why if that is known.
        """
        if self.seconds_unready > seconds:
            reason = f" ({self.last_error.sentence})" if self.last_error else ""
            raise errors.SpeechFaceError(
                f"the backend has not answered for {seconds:.0f} s{reason}; read its log or restart it",
                code=errors.ErrorCode.BACKEND_UNREACHABLE,
            )

    def upload(self, message_id: str) -> tuple[int, int] | None:
        """Bytes of a large message that were sent, and all of them; None when nothing of it is left to send."""
        for waiting, sending in self._large:
            if waiting == message_id:
                return sending.sent_bytes, sending.total_bytes
        return None

    @property
    def is_upload_paused(self) -> bool:
        """Whether a large message waits because the backend's disk is behind."""
        return bool(self._large) and self._upload_pause.is_on

    def send(self, message: protocol.Message) -> None:
        """Sends a message, or as much of it as can be sent without waiting; `poll` sends the rest.

        What is not sent when the connection is lost is not sent at all.

        Raises:
            MessageError: the message lies outside what the protocol allows.
        """
        sending = chunks.Sending(wire.encode(message))
        if self._socket is None:
            return
        if sending.transfer:
            self._large.append((message.id, sending))
        else:
            self._small.append(sending)
        self._flush()

    def cancel(self, job: str) -> None:
        """Asks the backend to end a job, on each new connection again until it has said that the job is over."""
        self._cancels.add(job)
        if self.is_ready:
            self.send(protocol.Cancel(job=job))

    def withdraw(self, message_id: str) -> None:
        """Sends nothing more of a large message."""
        self._large = deque(entry for entry in self._large if entry[0] != message_id)

    def poll(self) -> list[protocol.Message]:
        """What has arrived since the last call, without waiting; keeps the connection alive.

        Raises:
            MessageError: the backend sent something that is not a message of this protocol.
            SpeechFaceError: the backend refuses this client.
        """
        if self.state is LineState.CLOSED:
            return []
        if self._socket is None and self.clock() >= self._next_attempt:
            self._open()
        self._flush()
        messages = self._receive()
        self._check_heartbeat()
        return messages

    def wait(self, seconds: float) -> None:
        """Waits until something arrives or more can be sent, at most `seconds`; for use without a window only."""
        if self._socket is None:
            time.sleep(seconds)
        else:
            self._socket.wait(seconds, until_it_takes=self._next() is not None)

    def await_cancels(self, seconds: float) -> None:
        """Waits until the backend has said that every job that was cancelled is over, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self.is_ready and self.has_open_cancels and time.monotonic() < deadline:
            try:
                self.poll()
            except errors.SpeechFaceError:
                return  # what the backend says now concerns nobody any more
            self.wait(0.02)

    def reconnect(self) -> None:
        """Leaves a backend that has ended; `poll` connects to the one that takes its place as soon as it can."""
        if self.state is not LineState.CLOSED:
            self._schedule_reconnect()
            self._next_attempt = self.clock()
            self._pause = FIRST_PAUSE_SECONDS

    def close(self) -> None:
        """Ends the connection at once."""
        self._drop_socket()
        self.state = LineState.CLOSED

    def _open(self) -> None:
        try:
            connection = self._read_connection()
        except errors.ConnectionFileError as error:
            self.last_error = error
            self._next_attempt = self.clock() + FIRST_PAUSE_SECONDS / 4
            return
        self._socket = self._open_socket(connection)
        self._last_ping = self.clock()
        self._missed = 0
        hello = protocol.Hello(client=self._name)
        self._hello_id = hello.id
        self.send(hello)

    def _next(self) -> chunks.Sending | None:
        """What is to be sent next: the small messages first, then one large message, unless uploads pause."""
        if self._small:
            return self._small[0]
        return self._large[0][1] if self._large and not self._upload_pause.is_on else None

    def _flush(self) -> None:
        """Sends what the socket takes, some chunks of a large message at most."""
        for _ in range(CHUNKS_PER_POLL):
            sending = self._next()
            if self._socket is None or sending is None:
                return
            try:
                is_taken = self._socket.send(sending.piece())
            except OSError:
                self._schedule_reconnect()
                return
            if not is_taken:
                return
            sending.advance()
            if sending.transfer:
                self._missed = 0  # the socket took a chunk because the backend took an earlier one
            if sending.is_over:
                self._small.popleft() if self._small else self._large.popleft()

    def _receive(self) -> list[protocol.Message]:
        messages: list[protocol.Message] = []
        for _ in range(CHUNKS_PER_POLL):
            if self._socket is None or len(messages) >= MESSAGES_PER_POLL:
                break
            parts = self._socket.receive()
            if parts is None:
                break
            self._missed = 0
            if chunks.is_chunk(parts):
                parts = self._assembler.take(parts)
            if parts is not None:
                self._take(wire.decode(parts), messages)
        return messages

    def _take(self, message: protocol.Message, messages: list[protocol.Message]) -> None:
        """Handles what concerns the connection; everything else is added to the messages."""
        if isinstance(message, protocol.Welcome):
            self._greet(message)
        elif isinstance(message, protocol.Failed) and message.parent == self._hello_id:
            raise errors.failure(message.code, message.sentence, message.detail)
        elif isinstance(message, protocol.Failed) and message.code is errors.ErrorCode.UNKNOWN_CLIENT:
            self._schedule_reconnect()  # ZeroMQ reconnected by itself; the backend wants a new Hello
        elif not isinstance(message, protocol.Pong) and not self._upload_pause.take(message):
            if protocol.is_last(message):
                self._cancels.discard(message.job)
            messages.append(message)

    def _greet(self, welcome: protocol.Welcome) -> None:
        self.welcome = welcome
        self.state = LineState.READY
        self.unready_since = None
        self.last_error = None
        self._pause = FIRST_PAUSE_SECONDS
        for job in sorted(self._cancels):
            self.send(protocol.Cancel(job=job))

    def _check_heartbeat(self) -> None:
        """Counts unanswered pings, at most one per call: after a minute of frozen window, one is missed, not sixty."""
        if self._socket is None or self.clock() - self._last_ping < protocol.HEARTBEAT_SECONDS:
            return
        self._missed += 1
        if self._missed > MISSED_HEARTBEATS:
            self._schedule_reconnect()
            return
        self._last_ping = self.clock()
        self.send(protocol.Ping())

    def _schedule_reconnect(self) -> None:
        self._drop_socket()
        if self.state is LineState.READY:
            self.unready_since = self.clock()
        self.state = LineState.CONNECTING
        self._next_attempt = self.clock() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def _drop_socket(self) -> None:
        self._small.clear()
        self._large.clear()
        self._assembler.drop()
        self._upload_pause.end()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
