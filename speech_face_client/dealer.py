"""Opens the ZeroMQ sockets of the library: DEALERs with CURVE keys, on which nothing waits.

The add-on has a twin of it, since each of the two packages reaches only into `shared`, which has no sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import zmq

from ._shared import endpoint, line, protocol, wire


class DealerLine(line.Line):
    """A line over ZeroMQ.

    Args:
        read_connection: returns the connection, or raises ConnectionFileError while there is none.
        name: program and version, for the backend's log.
    """

    def __init__(self, read_connection: Callable[[], endpoint.Connection], name: str) -> None:
        self._context: zmq.Context[zmq.Socket] = zmq.Context(io_threads=1)
        super().__init__(read_connection, lambda connection: Dealer(self._context, connection), name)

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
