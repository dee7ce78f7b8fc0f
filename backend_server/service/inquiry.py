"""Asks a running backend how it is: a small client that never waits longer than a few seconds."""

from __future__ import annotations

import socket as system_socket
import threading
import time
from pathlib import Path

import zmq
from zmq.utils.monitor import parse_monitor_message

from backend_server.service.access.address import bracketed
from shared import chunks, wire
from shared.endpoint import Connection, read_connection_file
from shared.errors import ErrorCode, MessageError, SpeechFaceError
from shared.protocol import Failed, Status, StatusReport

WAIT_SECONDS = 3.0

_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_CLOSED = zmq.EVENT_DISCONNECTED
_NOBODY = zmq.EVENT_CONNECT_RETRIED


def ask_status(connection_file: Path, seconds: float = WAIT_SECONDS) -> StatusReport:
    """How the backend of a connection file is.

    Args:
        connection_file: that the backend wrote, or that was made for this machine.
        seconds: how long to wait at most.

    Raises:
        SpeechFaceError: the file cannot be used, or no backend answers.
    """
    connection = read_connection_file(connection_file)
    deadline = time.monotonic() + seconds
    address = _resolved(connection.address, seconds)
    if address is None:
        raise _unreachable(connection_file, connection, "its name cannot be looked up")
    context = zmq.Context()
    try:
        socket = context.socket(zmq.DEALER)
        socket.ipv6 = "[" in address
        socket.curve_serverkey = connection.server_public_key.encode()
        socket.curve_publickey = connection.client_public_key.encode()
        socket.curve_secretkey = connection.client_secret_key.encode()
        monitor = socket.get_monitor_socket(_REFUSED | _CLOSED | _NOBODY)
        socket.connect(address)
        socket.send_multipart(wire.encode(Status()), zmq.NOBLOCK)
        return _answer(socket, monitor, connection_file, connection, deadline)
    except zmq.ZMQError as error:
        raise _unreachable(connection_file, connection, zmq.strerror(error.errno or 0)) from error
    finally:
        context.destroy(linger=0)


def _resolved(address: str, seconds: float) -> str | None:
    """The address with a number for the host's name; None if the name is not found in time.

    ZeroMQ looks names up itself, but cannot be ended while it does.
    """
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    if host.startswith("["):
        return address
    found: list[str] = []

    def look_up() -> None:
        try:
            entries = system_socket.getaddrinfo(host, int(port), type=system_socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        entries.sort(key=lambda entry: entry[0] != system_socket.AF_INET)  # as other clients: the old kind first
        found.extend(f"tcp://{bracketed(str(entry[4][0]))}:{port}" for entry in entries)

    thread = threading.Thread(target=look_up, daemon=True)  # which does not keep the program from ending
    thread.start()
    thread.join(seconds)
    return next(iter(found), None)


def _answer(
    socket: zmq.Socket, monitor: zmq.Socket, file: Path, connection: Connection, deadline: float
) -> StatusReport:
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    began = time.monotonic()
    while (left := deadline - time.monotonic()) > 0:
        ready = dict(poller.poll(round(left * 1000)))
        if socket in ready:
            report = _report(socket.recv_multipart(), connection)
            if report is not None:
                return report
        elif monitor in ready:
            event = parse_monitor_message(monitor.recv_multipart())["event"]
            if event == _REFUSED:
                raise SpeechFaceError(
                    f"the backend at {connection.address} refuses the keys in {file}; "
                    "take a new connection file from the backend's machine",
                    code=ErrorCode.BACKEND_UNREACHABLE,
                )
            if event == _CLOSED:
                raise SpeechFaceError(
                    f"what listens at {connection.address} closed the connection; it is no backend, or its key is "
                    f"another than in {file}: take a new connection file from the backend's machine",
                    code=ErrorCode.BACKEND_UNREACHABLE,
                )
            raise _unreachable(file, connection, "nothing listens there")
    raise _unreachable(file, connection, f"no answer within {deadline - began:.1g} s")


def _report(parts: list[bytes], connection: Connection) -> StatusReport | None:
    """The report in a message; None if it is something else."""
    if chunks.is_chunk(parts):  # a report is never so large
        return None
    message = wire.decode(parts)
    if isinstance(message, Failed):
        if message.code is ErrorCode.UNSUPPORTED:
            raise MessageError(
                f"the backend at {connection.address} speaks protocol {connection.version}, which has no status; "
                "start a backend of this release",
                code=ErrorCode.VERSION_MISMATCH,
            )
        raise MessageError(message.sentence, code=message.code)
    return message if isinstance(message, StatusReport) else None


def _unreachable(file: Path, connection: Connection, reason: str) -> SpeechFaceError:
    return SpeechFaceError(
        f"no backend answers at {connection.address} of {file} ({reason}); "
        "start it with python -m backend_server serve",
        code=ErrorCode.BACKEND_UNREACHABLE,
    )
