"""Asks clients to pause their uploads while too much waits for the disk.

All clients share one ROUTER socket, which cannot leave the messages of one of them unread: to stop reading would leave
the small messages of all unanswered. So the clients are asked to send no more chunks (`shared.pause`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from backend_server.service.clients import Clients
from backend_server.service.intake import Intake
from backend_server.service.storage.store import JobStore
from shared import pause
from shared.protocol import HEARTBEAT_SECONDS

LOG = logging.getLogger(__name__)


class BackPressure:
    """The pauses of one service.

    Args:
        intake: what is being uploaded.
        store: writes to the disk.
        clients: who is told.
        most_bytes: above this, uploads pause; they go on when half of it is left and results are taken again.
        now: seconds that never go back; only differences matter.
    """

    def __init__(
        self,
        intake: Intake,
        store: JobStore,
        clients: Clients,
        most_bytes: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intake = intake
        self._store = store
        self._clients = clients
        self._most_bytes = most_bytes
        self._now = now
        self._is_on = False
        self._asked: dict[bytes, float] = {}  # client -> when it was asked to pause

    def turn(self) -> None:
        """Looks at the disk, and asks the clients to pause or tells them to go on."""
        waiting, was_on = self._store.unwritten_bytes, self._is_on
        if was_on:
            self._is_on = waiting > self._most_bytes // 2 or self._store.is_behind
        else:
            self._is_on = waiting > self._most_bytes
        if self._is_on != was_on:
            LOG.info("%.0f MB wait for the disk; uploads %s", waiting / 1e6, "pause" if self._is_on else "go on")
        if self._is_on:
            self._ask()
        elif was_on:
            for client in self._asked.keys() & self._clients.names:
                self._clients.reply(client, pause.end())
            self._asked = {}

    def _ask(self) -> None:
        now = self._now()
        due = [name for name in self._clients.names if now - self._asked.get(name, -math.inf) >= HEARTBEAT_SECONDS]
        for client in due:
            self._asked[client] = now
            self._clients.reply(client, pause.begin())
        self._intake.touch()
