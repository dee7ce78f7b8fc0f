"""Connects to the service as a patient client: pings, notices silence, and connects again.

It follows `docs/protocol.md` as the add-on does, with a quicker heartbeat, and reads the connection file again at every
attempt, because a restarted server has another port and other keys.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from shared import wire
from shared.assembly import Assembler
from shared.chunks import Sending, is_chunk
from shared.endpoint import Connection
from shared.errors import ConnectionFileError, ErrorCode, MessageError
from shared.pause import UploadPause
from shared.protocol import MAX_CHUNK_BYTES, Failed, Hello, Message, Ping, Pong, Welcome
from shared.wire import Bytes

PING_SECONDS = 0.3
SILENT_SECONDS = 1.5  # then the connection is lost
_SEND_QUEUE = 16  # chunks that wait inside ZeroMQ, where nothing can overtake them
_CHUNKS_PER_POLL = 64
_PAUSE_SECONDS = 0.05  # between two looks for a connection file


class ChaosClient:
    """One connection to one server; used in a `with` block.

    Args:
        read_connection: returns the connection, or raises ConnectionFileError while there is none.
        receive_queue: messages that wait here before the server's own queue grows.
        receive_bytes: of the system that wait here; 0: as many as the system likes.
        silent_seconds: without any message for so long, the connection is lost.
    """

    def __init__(
        self,
        read_connection: Callable[[], Connection],
        receive_queue: int = 64,
        receive_bytes: int = 0,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._read_connection = read_connection
        self._receive_queue = receive_queue
        self._receive_bytes = receive_bytes
        self._silent_seconds = silent_seconds
        self._context: zmq.Context[zmq.Socket] = zmq.Context(io_threads=1)
        self._socket: zmq.Socket | None = None
        self._next_attempt = self._heard = self._pinged = 0.0
        self._small: deque[Sending] = deque()
        self._large: deque[Sending] = deque()  # one after the other
        self._assembler = Assembler()
        self._pause = UploadPause(time.monotonic)
        self.is_ready = False
        self.damaged: list[str] = []  # what arrived and is no message of this protocol

    def __enter__(self) -> ChaosClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def send(self, message: Message) -> None:
        """Sends a message, a large one in chunks that `poll` sends; lost when there is no connection."""
        if self._socket is None:
            return
        sending = Sending(wire.encode(message))
        (self._large if sending.transfer else self._small).append(sending)
        self._flush()

    def send_parts(self, parts: Sequence[Bytes]) -> None:
        """Sends bytes as they are; lost when there is no connection, or the server takes nothing for long."""
        if self._socket is not None and self._socket.poll(int(self._silent_seconds * 1000), zmq.POLLOUT):
            self._socket.send_multipart(parts, zmq.NOBLOCK)

    def poll(self, seconds: float) -> list[Message]:
        """What arrives within so many seconds: Pongs that answer a Ping included, greetings left out."""
        now = time.monotonic()
        if self._socket is None and now >= self._next_attempt:
            self._open()
        socket = self._socket
        if socket is None:
            time.sleep(min(seconds, _PAUSE_SECONDS))
            return []
        messages: list[Message] = []
        events = zmq.POLLIN | zmq.POLLOUT if self._waiting() else zmq.POLLIN
        if socket.poll(int(seconds * 1000), events) & zmq.POLLIN:
            messages = self._receive(socket)
        self._flush()
        self._keep_alive()
        return messages

    def connect(self, seconds: float) -> bool:
        """Whether the server greets within so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.is_ready and time.monotonic() < deadline:
            self.poll(0.02)
        return self.is_ready

    def answers(self, seconds: float) -> bool:
        """Whether the server answers a Ping within so many seconds, on a new connection if need be."""
        return self.until_pong(seconds) is not None

    def until_pong(self, seconds: float) -> list[Message] | None:
        """What arrives up to the answer to a Ping that is sent now; None when none comes in time."""
        deadline = time.monotonic() + seconds
        ping: Ping | None = None
        before: list[Message] = []
        while time.monotonic() < deadline:
            if not self.is_ready:
                ping = None
            elif ping is None:
                ping = Ping()
                self.send(ping)
            messages = self.poll(0.02)
            before += messages
            if ping is not None and any(isinstance(m, Pong) and m.parent == ping.id for m in messages):
                return before
        return None

    def reconnect(self) -> None:
        """Gives the connection up; the next `poll` makes a new one."""
        self._small.clear()
        self._large.clear()
        self._assembler.drop()
        self._pause.end()
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = None
        self.is_ready = False
        self._next_attempt = time.monotonic() + _PAUSE_SECONDS

    def _open(self) -> None:
        try:
            connection = self._read_connection()
        except ConnectionFileError:
            self._next_attempt = time.monotonic() + _PAUSE_SECONDS
            return
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.rcvhwm = self._receive_queue
        if self._receive_bytes:
            socket.rcvbuf = self._receive_bytes
        socket.sndhwm = _SEND_QUEUE
        socket.maxmsgsize = MAX_CHUNK_BYTES
        socket.curve_serverkey = connection.server_public_key.encode()
        socket.curve_publickey = connection.client_public_key.encode()
        socket.curve_secretkey = connection.client_secret_key.encode()
        socket.connect(connection.address)
        self._socket = socket
        self._heard = self._pinged = time.monotonic()
        self.send(Hello(client="chaos"))

    def _waiting(self) -> deque[Sending]:
        """What may be sent now: small messages first, and no large ones while uploads pause."""
        return self._small if self._small or self._pause.is_on else self._large

    def _flush(self) -> None:
        """Sends what the socket takes now."""
        for _ in range(_CHUNKS_PER_POLL):
            waiting = self._waiting()
            if self._socket is None or not waiting:
                return
            try:
                self._socket.send_multipart(waiting[0].piece(), zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            waiting[0].advance()
            if waiting is self._large:
                self._heard = time.monotonic()  # the server took an earlier chunk
            if waiting[0].is_over:
                waiting.popleft()

    def _receive(self, socket: zmq.Socket) -> list[Message]:
        messages: list[Message] = []
        while len(messages) < self._receive_queue:
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._heard = time.monotonic()
            try:
                whole = self._assembler.take(parts) if is_chunk(parts) else parts
                if whole is None:
                    continue
                message = wire.decode(whole)
            except MessageError as error:
                self.damaged.append(error.sentence)
                continue
            if isinstance(message, Welcome):
                self.is_ready = True
            elif isinstance(message, Failed) and message.code is ErrorCode.UNKNOWN_CLIENT:
                self.reconnect()  # ZeroMQ connected again by itself; the server wants a new Hello
                break
            elif not self._pause.take(message) and (message.parent or not isinstance(message, Pong)):
                messages.append(message)
        return messages

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if self._socket is None:
            return
        if now - self._heard > self._silent_seconds:
            self.reconnect()
        elif self.is_ready and now - self._pinged > PING_SECONDS:
            self._pinged = now
            self.send(Ping())
