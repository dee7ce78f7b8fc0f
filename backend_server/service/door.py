"""Bounds the connections, so that strangers who open many without a key leave descriptors for the service.

ZeroMQ closes a connection whose keys were not proved in time. While too many are open, the address is not listened to;
clients that try to connect then try again by themselves.
"""

from __future__ import annotations

import logging
import sys

import zmq
from zmq.utils.monitor import parse_monitor_message

LOG = logging.getLogger(__name__)

_ADDRESS = "inproc://connections"
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_BACKLOG = 32
_WANTED_DESCRIPTORS = 4096


def raise_descriptor_limit() -> int:
    """Lets this process open as many files and sockets as it may, up to 4096; returns how many that are."""
    if sys.platform == "win32":
        return _WANTED_DESCRIPTORS
    import resource  # noqa: PLC0415 (Windows has no such module)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    wanted = _WANTED_DESCRIPTORS if hard == endless else min(hard, _WANTED_DESCRIPTORS)
    if soft != endless and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError) as error:
            LOG.warning("the limit of open files stays at %d: %s", soft, error)
    return _WANTED_DESCRIPTORS if soft == endless else soft


class Door:
    """Opens and closes the address of a bound socket by the number of connections.

    Args:
        context: of the socket.
        socket: the bound one.
        most: how many connections may be open; listening begins again at half of it.
    """

    def __init__(self, context: zmq.Context, socket: zmq.Socket, most: int) -> None:
        self._socket = socket
        self._most = most
        self._endpoint = socket.get_string(zmq.LAST_ENDPOINT)
        self._open: set[int] = set()  # descriptors
        self._is_listening = True
        self.socket = context.socket(zmq.PAIR)
        self.socket.rcvhwm = 0  # ZeroMQ's thread would wait for room
        socket.monitor(_ADDRESS, _EVENTS)
        self.socket.connect(_ADDRESS)

    @staticmethod
    def prepare(socket: zmq.Socket, handshake_seconds: float) -> None:
        """Sets how long a connection may go without proved keys; call it before binding."""
        socket.handshake_ivl = round(1000 * handshake_seconds)
        socket.backlog = _BACKLOG

    def turn(self) -> None:
        """Counts what came and went, and opens or closes the address."""
        while True:
            try:
                event = parse_monitor_message(self.socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._open.add(event["value"])
            else:
                self._open.discard(event["value"])
        if self._is_listening and len(self._open) >= self._most:
            LOG.warning("%d connections are open; no more are accepted until some end", len(self._open))
            self._socket.unbind(self._endpoint)
            self._is_listening = False
        elif not self._is_listening and len(self._open) <= self._most // 2:
            try:
                self._socket.bind(self._endpoint)
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:  # it is being closed still; the next turn tries again
                    raise
                return
            LOG.info("connections are accepted again")
            self._is_listening = True

    def close(self) -> None:
        """Ends the counting."""
        self._socket.disable_monitor()
        self.socket.close(linger=0)
