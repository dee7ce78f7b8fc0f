"""Bounds the connections, so that strangers who open many without a key leave descriptors for the service.

ZeroMQ closes a connection whose keys were not proved in time, so those that are older have proved them. When too many
are open, the oldest of the others are cut: a client needs a moment for the proof, a stranger waits for ever.
"""

from __future__ import annotations

import logging
import socket
import sys
import time

import zmq
from zmq.utils.monitor import parse_monitor_message

LOG = logging.getLogger(__name__)

_ADDRESS = "inproc://connections"
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_BACKLOG = 32
_WARN_SECONDS = 60.0
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
    """Cuts connections of a bound socket when there are too many.

    Args:
        context: of the socket.
        guarded: the bound socket.
        most: how many connections may be open.
        handshake_seconds: after which a connection has proved its keys or is closed.
    """

    def __init__(self, context: zmq.Context, guarded: zmq.Socket, most: int, handshake_seconds: float) -> None:
        self._guarded = guarded
        self._most = most
        self._handshake_seconds = handshake_seconds
        self._port = int(guarded.get_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._open: dict[int, float] = {}  # descriptor -> when it was accepted, in this order
        self._next_warning = 0.0
        self.socket = context.socket(zmq.PAIR)
        self.socket.rcvhwm = 0  # ZeroMQ's thread would wait for room
        guarded.monitor(_ADDRESS, _EVENTS)
        self.socket.connect(_ADDRESS)

    @staticmethod
    def prepare(guarded: zmq.Socket, handshake_seconds: float) -> None:
        """Sets how long a connection may go without proved keys; call it before binding."""
        guarded.handshake_ivl = round(1000 * handshake_seconds)
        guarded.backlog = _BACKLOG

    def turn(self) -> None:
        """Counts what came and went, and cuts what is too much."""
        while True:
            try:
                event = parse_monitor_message(self.socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            self._open.pop(event["value"], None)
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._open[event["value"]] = time.monotonic()
        if len(self._open) > self._most and sys.platform != "win32":  # there, descriptors do not run out
            self._cut(len(self._open) - self._most)

    def accepted(self, descriptor: int) -> float | None:
        """When the connection with this descriptor was accepted; None if none is open."""
        return self._open.get(descriptor)

    def cut(self, descriptor: int) -> None:
        """Ends one connection."""
        if self._open.pop(descriptor, None) is not None:
            self._shut(descriptor)

    def close(self) -> None:
        """Ends the counting."""
        self._guarded.disable_monitor()
        self.socket.close(linger=0)

    def _cut(self, count: int) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARN_SECONDS
            LOG.warning("%d connections are open, at most %d may be; strangers are cut", len(self._open), self._most)
        young = [fd for fd, accepted in self._open.items() if now - accepted < self._handshake_seconds]
        for descriptor in young[:count]:
            del self._open[descriptor]
            self._shut(descriptor)

    def _shut(self, descriptor: int) -> None:
        """Ends a connection; ZeroMQ notices and closes it. If the descriptor is another's by now, it is left alone."""
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError:
            return
        try:
            if connection.getsockname()[1] == self._port:
                connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            return
        finally:
            connection.detach()
