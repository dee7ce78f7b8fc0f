"""Asks a running backend how it is and what it does, and cancels jobs: a small client that never waits long."""

from __future__ import annotations

import socket as system_socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import zmq
from zmq.utils.monitor import parse_monitor_message

from backend_server.service.access.address import bracketed
from shared import chunks, wire
from shared.endpoint import Connection, read_connection_file
from shared.errors import ErrorCode, MessageError, SpeechFaceError
from shared.health import JobHealth
from shared.job_list import list_jobs
from shared.protocol import Cancel, Cancelled, Done, Failed, Hello, Message, Status, StatusReport, Welcome

WAIT_SECONDS = 3.0

_Answer = TypeVar("_Answer", bound=Message)

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
    with _line(connection_file, seconds) as line:
        return line.report(Status())


def ask_jobs(connection_file: Path, seconds: float = WAIT_SECONDS, *, are_ended: bool = False) -> list[JobHealth]:
    """The jobs of a backend that have not ended, in the order in which they will run.

    Args:
        connection_file: as `ask_status`.
        seconds: how long to wait for each answer at most.
        are_ended: those that have ended instead, whose results are kept, in the order in which they came.

    Raises:
        SpeechFaceError: as `ask_status`, or the backend is of a release without lists.
    """
    with _line(connection_file, seconds) as line:
        return list_jobs(line.report, are_ended=are_ended)


def cancel_jobs(connection_file: Path, jobs: Sequence[str], seconds: float = WAIT_SECONDS) -> Iterator[Message]:
    """Ends jobs one after the other; the last message of each: `Cancelled`, or how it had ended before.

    Args:
        connection_file: as `ask_status`.
        jobs: their IDs.
        seconds: how long to wait for each answer at most.

    Raises:
        SpeechFaceError: as `ask_status`, or there is no such job.
    """
    with _line(connection_file, seconds) as line:
        line.ask(Hello(client="backend_server jobs cancel"), Welcome)
        for job in jobs:
            yield line.ask(Cancel(job=job), Cancelled, Done, Failed)


def forget_jobs(connection_file: Path, jobs: Sequence[str], seconds: float = WAIT_SECONDS) -> Iterator[str]:
    """Deletes jobs that have ended and their results, one after the other; the ID of each.

    Args:
        connection_file: as `ask_status`.
        jobs: IDs from `ask_jobs`, which a backend without this refuses.
        seconds: how long to wait for each answer at most.

    Raises:
        SpeechFaceError: as `ask_status`, or there is no such job, it has not ended, or it is being sent.
    """
    with _line(connection_file, seconds) as line:
        line.ask(Hello(client="backend_server jobs forget"), Welcome)
        for job in jobs:
            yield line.ask(Cancel(job=job, forgets=True), Cancelled).job


class _Line:
    """A connection for a few questions."""

    def __init__(
        self, socket: zmq.Socket, monitor: zmq.Socket, file: Path, connection: Connection, seconds: float
    ) -> None:
        self._socket = socket
        self._monitor = monitor
        self._file = file
        self._connection = connection
        self._seconds = seconds
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(monitor, zmq.POLLIN)

    def report(self, question: Status) -> StatusReport:
        """The answer to a question for the status.

        Raises:
            SpeechFaceError: as `ask`, or the backend is of a release without it.
        """
        try:
            return self.ask(question, StatusReport)
        except MessageError as error:
            if error.code is ErrorCode.UNSUPPORTED:
                raise MessageError(
                    f"the backend at {self._connection.address} speaks protocol {self._connection.version}, which has "
                    "no status; start a backend of this release",
                    code=ErrorCode.VERSION_MISMATCH,
                ) from error
            raise

    def ask(self, question: Message, *kinds: type[_Answer]) -> _Answer:
        """The answer to a question: the first message of one of these kinds about the same job.

        Raises:
            MessageError: the backend refuses the question.
            SpeechFaceError: it cannot be reached, or does not answer in time.
        """
        self._socket.send_multipart(wire.encode(question), zmq.NOBLOCK)
        began = time.monotonic()
        deadline = began + self._seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(self._poller.poll(round(left * 1000)))
            if self._socket in ready:
                parts = self._socket.recv_multipart()
                message = None if chunks.is_chunk(parts) else wire.decode(parts)  # an answer is never so large
                if isinstance(message, Failed) and not message.sequence:
                    raise MessageError(message.sentence, code=message.code)
                if isinstance(message, kinds) and message.job == question.job:
                    return message
            elif self._monitor in ready:
                self._take_event()
        raise _unreachable(self._file, self._connection, f"no answer within {self._seconds:.1g} s")

    def _take_event(self) -> None:
        event, address = parse_monitor_message(self._monitor.recv_multipart())["event"], self._connection.address
        if event == _REFUSED:
            raise SpeechFaceError(
                f"the backend at {address} refuses the keys in {self._file}; "
                "take a new connection file from the backend's machine",
                code=ErrorCode.BACKEND_UNREACHABLE,
            )
        if event == _CLOSED:
            raise SpeechFaceError(
                f"what listens at {address} closed the connection; it is no backend, or its key is "
                f"another than in {self._file}: take a new connection file from the backend's machine",
                code=ErrorCode.BACKEND_UNREACHABLE,
            )
        raise _unreachable(self._file, self._connection, "nothing listens there")


@contextmanager
def _line(connection_file: Path, seconds: float) -> Iterator[_Line]:
    connection = read_connection_file(connection_file)
    began = time.monotonic()
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
        yield _Line(socket, monitor, connection_file, connection, max(0.0, seconds - (time.monotonic() - began)))
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


def _unreachable(file: Path, connection: Connection, reason: str) -> SpeechFaceError:
    return SpeechFaceError(
        f"no backend answers at {connection.address} of {file} ({reason}); "
        "start it with python -m backend_server serve",
        code=ErrorCode.BACKEND_UNREACHABLE,
    )
