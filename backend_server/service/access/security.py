"""Decides who may talk to the service.

ZeroMQ's CURVE encrypts every byte and proves the identity of both sides. Only clients with a listed key can send a
message; all others are refused in the handshake. The worker, a child on the same machine, uses a one-time password
instead (PLAIN, over loopback), so that frames are not encrypted twice.
"""

from __future__ import annotations

import os
import re
import secrets
import socket as system_socket
from pathlib import Path

import psutil
import zmq
from zmq.utils import z85

from backend_server.service.access.address import bracketed, listening
from backend_server.service.access.keys import KeyPair
from backend_server.service.access.roster import Roster
from shared.endpoint import MAX_FILE_BYTES, Connection, read_connection_file, write_connection_file
from shared.errors import ConnectionFileError, ValueRangeError

_CLIENTS = b"clients"
_WORKER = b"worker"
_HANDSHAKES_PER_TURN = 64


class Gate:
    """Lets listed keys in, each to its own domain: a ZAP handler (ZeroMQ RFC 27) without a thread.

    Args:
        context: of the guarded sockets; one gate per context.
        server_keys: by which clients recognise the service; new ones if None.
        roster: of the clients on other machines.
    """

    def __init__(self, context: zmq.Context, server_keys: KeyPair | None = None, roster: Roster | None = None) -> None:
        self.server_keys = server_keys or KeyPair.fresh()
        self._roster = roster
        self._client_keys: set[bytes] = set()
        self._worker_password = secrets.token_bytes(32)  # nobody knows it until a worker starts
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Lets in or refuses all who wait; called when `socket` can be read."""
        for _ in range(_HANDSHAKES_PER_TURN):
            try:
                version, request, domain, _address, _name, mechanism, *credentials = self.socket.recv_multipart(
                    zmq.NOBLOCK
                )
            except zmq.Again:
                return
            user = self._user(domain, mechanism, credentials)
            verdict = (b"200", b"OK", user) if user else (b"400", b"unknown", b"")
            self.socket.send_multipart([version, request, *verdict, b""])

    def allow_client(self, public_key: bytes) -> None:
        """Lets clients with this key in."""
        self._client_keys.add(public_key)

    def lists(self, public_key: bytes) -> bool:
        """Whether clients with this key may come in."""
        return public_key in self._client_keys or (
            self._roster is not None and public_key in self._roster.public_keys()
        )

    def guard_clients(self, socket: zmq.Socket) -> None:
        """Prepares the socket for clients; call it before binding."""
        socket.curve_server = True
        socket.curve_publickey = self.server_keys.public
        socket.curve_secretkey = self.server_keys.secret
        socket.zap_domain = _CLIENTS

    def guard_worker(self, *sockets: zmq.Socket) -> str:
        """Prepares sockets for the next worker and returns the worker's password; call it before binding."""
        for socket in sockets:
            socket.plain_server = True
            socket.zap_domain = _WORKER
        password = secrets.token_hex(32)
        self._worker_password = password.encode()
        return password

    def close(self) -> None:
        """Refuses everybody from now on."""
        self.socket.close()

    def _user(self, domain: bytes, mechanism: bytes, credentials: list[bytes]) -> bytes:
        """The public key of a client, or "worker"; empty for a stranger."""
        match domain, mechanism, credentials:
            case (b"clients", b"CURVE", [raw]):
                key = z85.encode(raw)
                return key if self.lists(key) else b""
            case (b"worker", b"PLAIN", [_name, password]):
                return _WORKER if secrets.compare_digest(password, self._worker_password) else b""
            case _:
                return b""


def bind(socket: zmq.Socket, address: str) -> str:
    """Binds to an IP address, at a free port unless one is given; returns the address for clients.

    Raises:
        ValueRangeError: the address cannot be used.
    """
    host, port = listening(address)
    socket.ipv6 = ":" in host
    try:
        socket.bind(f"tcp://{bracketed(host)}:{port}")
    except zmq.ZMQError as error:
        advice = "give --bind an IP address of this machine, such as 127.0.0.1"
        if error.errno == zmq.EADDRINUSE:
            advice = "another program listens there, so choose another port"
        raise ValueRangeError(f"cannot listen on {address} ({zmq.strerror(error.errno or 0)}); {advice}") from error
    bound = socket.get_string(zmq.LAST_ENDPOINT)
    return re.sub(r"//(0\.0\.0\.0|\[::\]):", f"//{system_socket.gethostname()}:", bound)


def announce(path: Path, address: str, server: KeyPair, client: KeyPair) -> None:
    """Writes the connection file; the file of a backend that is gone is replaced.

    Raises:
        ConnectionFileError: the file belongs to a running backend, or cannot be written.
    """
    if path.exists():
        _remove_stale(path)
    connection = Connection(
        address=address,
        server_public_key=server.public.decode(),
        client_public_key=client.public.decode(),
        client_secret_key=client.secret.decode(),
        pid=os.getpid(),
    )
    write_connection_file(path, connection)


def withdraw(path: Path) -> None:
    """Removes the connection file if it is still this process's own."""
    try:
        if read_connection_file(path).pid == os.getpid():
            path.unlink(missing_ok=True)
    except ConnectionFileError:  # removed, or replaced by another backend
        return


def _remove_stale(path: Path) -> None:
    pid = _living_owner(path)
    if pid is not None:
        raise ConnectionFileError(
            f"a backend is running already (process {pid}, {path}); use it, or choose another --connection-file"
        )
    try:
        if not _is_connection_file(path):
            raise ConnectionFileError(
                f"{path} is not a connection file, so it is not replaced; choose another --connection-file"
            )
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConnectionFileError(
            f"the connection file {path} cannot be replaced ({error.strerror}); choose another --connection-file"
        ) from error


def _is_connection_file(path: Path) -> bool:
    """Whether a file was written by a backend, even if it is damaged now."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(MAX_FILE_BYTES)
    return not start or b"_key" in start


def _living_owner(path: Path) -> int | None:
    try:
        if not path.is_file():
            return None
        pid = read_connection_file(path).pid
        is_owner = psutil.Process(pid).create_time() <= path.stat().st_mtime + 1.0  # else the number was used again
    except (ConnectionFileError, psutil.Error, OSError):
        return None
    return pid if is_owner else None
