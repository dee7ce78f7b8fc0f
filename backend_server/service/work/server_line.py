"""Connects the worker to its server."""

from __future__ import annotations

import zmq

from backend_server.service.work.pulse import Pulse
from backend_server.service.work.worker_process import BUFFERED_MESSAGES, WorkerConfig
from shared import wire
from shared.errors import Cancelled
from shared.protocol import Cancel, Message


class ServerLine:
    """The worker's connection to its server.

    Args:
        config: addresses and password.

    Attributes:
        pulse: shows the server what the worker does.
    """

    def __init__(self, config: WorkerConfig) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PAIR)
        self._socket.linger = 2000  # milliseconds
        self._socket.rcvhwm = self._socket.sndhwm = BUFFERED_MESSAGES
        self._socket.plain_username = b"worker"
        self._socket.plain_password = config.password.encode()
        self._socket.connect(config.address)
        self.pulse = Pulse(self._context, config.pulse_address, config.password)

    def send(self, message: Message) -> None:
        """Sends a message; waits while the server is slow."""
        parts = wire.encode(message)
        self.pulse.begin_sending()
        self._socket.send_multipart(parts)
        self.pulse.end_sending()

    def receive(self) -> Message:
        """Waits for the next message."""
        return wire.decode([frame.buffer for frame in self._socket.recv_multipart(copy=False)])

    def raise_if_cancelled(self, job: str) -> None:
        """Reads the messages that arrived.

        Raises:
            Cancelled: the server wants the job to end.
        """
        while self._socket.poll(0):
            message = self.receive()
            if isinstance(message, Cancel) and message.job == job:
                raise Cancelled

    def close(self) -> None:
        """Closes the connection; waits up to two seconds until everything is sent."""
        self.pulse.stop()
        self._socket.close()
        self._context.term()
