"""Cuts the connections of clients whose keys were revoked."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import zmq

from backend_server.service.access.door import Door
from backend_server.service.access.security import Gate
from backend_server.service.clients import Clients

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Connection:
    key: bytes
    descriptor: int
    accepted: float | None  # when; the descriptor may be another connection's later


class Guests:
    """The connections of a guarded socket and the keys that opened them.

    Args:
        gate: knows which keys are listed.
        door: knows and cuts connections.
        clients: forgets those that are cut.
    """

    def __init__(self, gate: Gate, door: Door, clients: Clients) -> None:
        self._gate = gate
        self._door = door
        self._clients = clients
        self._connections: dict[bytes, _Connection] = {}

    def may_speak(self, client: bytes, frame: zmq.Frame) -> bool:
        """Whether a message comes from a client that is still listed; one that is not is cut.

        Args:
            client: name of the connection.
            frame: of the message.
        """
        key = str(frame.get("User-Id")).encode()  # pyright: ignore[reportArgumentType] (its stub knows numbers only)
        descriptor = int(frame.get(zmq.SRCFD))
        connection = self._connections.get(client)
        if connection is None or (connection.key, connection.descriptor) != (key, descriptor):
            self._door.turn()  # so that it knows the connection
            connection = _Connection(key, descriptor, self._door.accepted(descriptor))
            self._connections[client] = connection
        if self._gate.lists(key):
            return True
        self._cut(client, connection)
        return False

    def turn(self) -> None:
        """Cuts those that are no longer listed, also when they are silent; called about once a second."""
        self._door.turn()
        for client, connection in list(self._connections.items()):
            accepted = self._door.accepted(connection.descriptor)
            if accepted is None or accepted != connection.accepted:
                del self._connections[client]
            elif not self._gate.lists(connection.key):
                self._cut(client, connection)

    def _cut(self, client: bytes, connection: _Connection) -> None:
        LOG.info("a client was revoked; its connection is cut")
        self._connections.pop(client, None)
        self._clients.forget(client)
        if connection.accepted is not None:
            self._door.cut(connection.descriptor)
