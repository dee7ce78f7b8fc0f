"""Stands between a client and the server as a bad network: it cuts, swallows and holds up bytes."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from shared.endpoint import Connection
from shared.errors import ConnectionFileError

_PIECE_BYTES = 64 * 1024
_BUFFER_BYTES = 128 * 1024  # small, so that results wait in the server and not here
_TURN_SECONDS = 0.05
_SEND_SECONDS = 5.0


@dataclass
class _Wire:
    source: socket.socket
    target: socket.socket
    swallow: int = field(default=0)  # bytes that will vanish


class Proxy:
    """A TCP proxy in a thread; used in a `with` block.

    Args:
        read_connection: the server's own connection, read for each client that connects.
    """

    def __init__(self, read_connection: Callable[[], Connection]) -> None:
        self._read_connection = read_connection
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)  # of what it accepts, too
        self._port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._wires: list[_Wire] = []
        self._is_held = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Proxy:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.cut()
        self._thread.join(_TURN_SECONDS * 4)
        self._listener.close()

    def connection(self) -> Connection:
        """The server's connection, through this proxy.

        Raises:
            ConnectionFileError: there is no server now.
        """
        return msgspec.structs.replace(self._read_connection(), address=f"tcp://127.0.0.1:{self._port}")

    def cut(self) -> None:
        """Closes every connection in both directions; new ones may come."""
        with self._lock:
            for wire in self._wires:
                for end in (wire.source, wire.target):
                    with suppress(OSError, KeyError, ValueError):
                        end.shutdown(socket.SHUT_RDWR)

    def swallow(self, byte_count: int, is_answer: bool) -> None:
        """Lets so many bytes vanish, from the client's messages or from the server's answers."""
        with self._lock:
            for wire in self._wires[int(is_answer) :: 2]:
                wire.swallow = byte_count

    def hold(self, is_held: bool) -> None:
        """Holds all bytes up, or lets them go on."""
        (self._is_held.set if is_held else self._is_held.clear)()

    def _run(self) -> None:
        while not self._is_over.is_set():
            if self._is_held.is_set():
                self._is_over.wait(_TURN_SECONDS)
                continue
            for key, _ in self._selector.select(_TURN_SECONDS):
                if key.data is None:
                    self._accept()
                elif not self._pass_on(key.data):
                    self._drop(key.data)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            host, _, port = self._read_connection().address.removeprefix("tcp://").rpartition(":")
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            server.settimeout(_SEND_SECONDS)
            server.connect((host, int(port)))
        except (OSError, ConnectionFileError):
            client.close()
            return
        client.settimeout(_SEND_SECONDS)
        pair = [_Wire(client, server), _Wire(server, client)]
        with self._lock:
            self._wires += pair
        for wire in pair:
            self._selector.register(wire.source, selectors.EVENT_READ, wire)

    def _pass_on(self, wire: _Wire) -> bool:
        try:
            piece = wire.source.recv(_PIECE_BYTES)
            kept = piece[wire.swallow :]
            wire.swallow -= len(piece) - len(kept)
            wire.target.sendall(kept)
        except OSError:
            return False
        return bool(piece)

    def _drop(self, wire: _Wire) -> None:
        with self._lock:
            both = [w for w in self._wires if wire.source in (w.source, w.target)]
            self._wires = [w for w in self._wires if w not in both]
        for each in both:
            with suppress(OSError, KeyError, ValueError):
                self._selector.unregister(each.source)
            each.source.close()
