"""Connects the add-on to its backend through ZeroMQ: a DEALER with CURVE keys, on which nothing waits.

What is said over it and when is `shared.line`, which has no sockets. No bpy here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import zmq

from ._shared import endpoint, line, protocol, wire


class Client(line.Line):
    """One connection to one backend.

    Args:
        read_connection: returns the connection, or raises ConnectionFileError while there is none.
        name: program and version, for the backend's log.
        clock: gives seconds, and never runs backwards.
        cancels: IDs of jobs that were cancelled through an earlier client, and that may not be over yet.
    """

    def __init__(
        self,
        read_connection: Callable[[], endpoint.Connection],
        name: str = "speech_face add-on",
        clock: Callable[[], float] = time.monotonic,
        cancels: set[str] | None = None,
    ) -> None:
        self._context: zmq.Context[zmq.Socket] = zmq.Context(io_threads=1)
        super().__init__(read_connection, lambda connection: Dealer(self._context, connection), name, clock, cancels)
        self._questions: dict[str, protocol.Message] = {}  # by their IDs
        self._answers: dict[str, protocol.Message] = {}  # by the IDs of their questions

    def ask(self, question: protocol.Message) -> None:
        """Asks what the backend answers at once, also while jobs run, and on each new connection again.

        Raises:
            MessageError: the question lies outside what the protocol allows.
        """
        if self.is_ready:
            self.send(question)
        self._questions[question.id] = question

    def answer(self, question: protocol.Message) -> protocol.Message | None:
        """The answer to a question, once; None while there is none."""
        return self._answers.pop(question.id, None)

    def forget(self, question: protocol.Message) -> None:
        """Waits for the answer no more."""
        self._questions.pop(question.id, None)
        self._answers.pop(question.id, None)

    def poll(self) -> list[protocol.Message]:
        """What has arrived since the last call, but for answers to questions; see `line.Line.poll`."""
        was_ready = self.is_ready
        messages = super().poll()
        if self.is_ready and not was_ready:
            for question in self._questions.values():
                self.send(question)
        for message in messages:
            if not message.job and self._questions.pop(message.parent, None) is not None:
                self._answers[message.parent] = message
        return [message for message in messages if message.parent not in self._answers or message.job]

    def close(self) -> None:
        """Ends the connection at once."""
        super().close()
        self._context.destroy(linger=0)


class Dealer:
    """A `line.Socket` of ZeroMQ.

    Args:
        context: of ZeroMQ.
        connection: address and keys.
    """

    def __init__(self, context: zmq.Context[zmq.Socket], connection: endpoint.Connection) -> None:
        socket = context.socket(zmq.DEALER)
        socket.linger = 0
        socket.rcvhwm = line.RECEIVE_QUEUE
        socket.sndhwm = line.SEND_QUEUE
        socket.maxmsgsize = protocol.MAX_CHUNK_BYTES
        socket.ipv6 = "[" in connection.address
        socket.curve_serverkey = connection.server_public_key.encode()
        socket.curve_publickey = connection.client_public_key.encode()
        socket.curve_secretkey = connection.client_secret_key.encode()
        socket.connect(connection.address)
        self._socket = socket

    def send(self, parts: Sequence[wire.Bytes]) -> bool:
        """Whether the parts were taken; False when that would have to wait.

        Raises:
            OSError: the socket is of no more use.
        """
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            raise OSError(error.errno, zmq.strerror(error.errno or 0)) from error
        return True

    def receive(self) -> Sequence[wire.Bytes] | None:
        """The parts of the next message; None when none has arrived."""
        try:
            return [frame.buffer for frame in self._socket.recv_multipart(zmq.NOBLOCK, copy=False)]
        except zmq.Again:
            return None

    def wait(self, seconds: float, *, until_it_takes: bool) -> None:
        """Waits until something arrives, or until parts would be taken if that is wanted; at most `seconds`."""
        self._socket.poll(int(seconds * 1000), zmq.POLLIN | zmq.POLLOUT if until_it_takes else zmq.POLLIN)

    def close(self) -> None:
        """Ends the connection; what was not sent is lost."""
        self._socket.close(linger=0)
