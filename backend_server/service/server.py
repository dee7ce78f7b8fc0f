"""Runs the service, which answers its clients.

One loop over one ROUTER socket. It never waits for the worker, the disk or a slow client, and whatever goes wrong in
one of its steps costs one message or one job, never the loop.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import zmq

from backend_server.files import close_if_ours
from backend_server.identities.store import IdentityStore, data_folder
from backend_server.processes import ending_signals, is_alive
from backend_server.service.access.address import is_loopback, listening
from backend_server.service.access.door import Door, raise_descriptor_limit
from backend_server.service.access.guests import Guests
from backend_server.service.access.keys import KeyPair, has_kept_keys, kept_keys
from backend_server.service.access.roster import Roster
from backend_server.service.access.security import Gate, announce, bind, withdraw
from backend_server.service.access.sharing import offered
from backend_server.service.back_pressure import BackPressure
from backend_server.service.clients import Clients
from backend_server.service.desk import Desk
from backend_server.service.intake import Arrival, Intake, read
from backend_server.service.jobs import Scheduler
from backend_server.service.logs import Complaints, start_log
from backend_server.service.metrics import Exporter
from backend_server.service.outcome import failure
from backend_server.service.settings import ServiceSettings, store_limits
from backend_server.service.storage.spool import FreeBytes, free_bytes
from backend_server.service.storage.store import JobStore
from backend_server.service.work.worker_process import WorkerProcess
from shared import chunks, wire
from shared.endpoint import default_connection_file
from shared.errors import ErrorCode, MessageError
from shared.protocol import HEARTBEAT_SECONDS, MAX_CHUNK_BYTES, Cancel, Hello
from shared.wire import Bytes

LOG = logging.getLogger(__name__)

_IDLE_MILLISECONDS = 50
_BUSY_MILLISECONDS = 10  # while a client's pipe is full or the intake reads
_READING_SECONDS = 0.02  # in each turn; what was answered is sent after it
_LINGER_MILLISECONDS = 200
_NETWORK_THREADS = 4  # encrypting is most of the work of a large message
_PAUSE_SECONDS = 0.01


class Server:
    """One service, from its connection file to its worker.

    Args:
        settings: how it runs.
        stop: set by a signal handler or another thread, it ends `run`.
        measure: free bytes of a folder's disk.

    Raises:
        SpeechFaceError: the address, the data folder or the connection file cannot be used.
    """

    def __init__(self, settings: ServiceSettings, stop: threading.Event, measure: FreeBytes = free_bytes) -> None:
        self._settings = settings
        self._stop = stop
        self._parent = _process(settings.parent_pid)
        self._complaints = Complaints(LOG)
        most_connections = min(settings.most_connections, raise_descriptor_limit() // 2)
        with ExitStack() as stack:  # closed in reverse, also when something here fails
            close_if_ours(settings.data_dir)
            store = JobStore(settings.job_dir, store_limits(settings), measure)
            stack.callback(store.close)
            identities = IdentityStore(settings.identity_dir).prepare()
            context = zmq.Context(_NETWORK_THREADS)
            stack.callback(context.term)
            self._gate = gate = Gate(context, _server_keys(settings), Roster(settings.client_dir))
            stack.callback(gate.close)
            self._socket = _listening_socket(context, gate, settings)
            stack.callback(self._socket.close, linger=_LINGER_MILLISECONDS)
            address = bind(self._socket, settings.bind)
            self._door = Door(context, self._socket, most_connections, settings.handshake_seconds)
            stack.callback(self._door.close)
            client_keys = KeyPair.fresh()
            gate.allow_client(client_keys.public)
            announce(settings.connection_file, address, gate.server_keys, client_keys)
            stack.callback(withdraw, settings.connection_file)
            self._intake = Intake(unwritten_bytes=lambda: store.unwritten_bytes + self._desk.faces.unwritten_bytes)
            stack.callback(self._intake.close)
            self._store = store
            self._clients = Clients(self._socket, store)
            self._back_pressure = BackPressure(self._intake, store, self._clients, settings.unwritten_bytes)
            self._guests = Guests(gate, self._door, self._clients)
            store.is_attached = self._clients.is_attached
            self._scheduler = Scheduler(
                store, settings, lambda: WorkerProcess(context, gate, settings), self._clients.tell
            )
            stack.callback(self._scheduler.close)
            self._desk = Desk(settings.device, self._clients, store, self._scheduler, identities)
            stack.callback(self._desk.faces.close)
            self._exporter = self._start_exporter(stack)
            LOG.info("listening at %s, connection file %s", address, settings.connection_file)
            self._resources = stack.pop_all()

    def run(self) -> None:
        """Serves until `stop` is set or the parent process ends."""
        next_upkeep = time.monotonic()
        while not self._stop.is_set():
            self._try("waiting", self._wait)
            self._turn()
            if time.monotonic() >= next_upkeep:
                next_upkeep = time.monotonic() + HEARTBEAT_SECONDS
                self._do_upkeep()

    def close(self) -> None:
        """Removes the connection file, ends the worker and frees everything."""
        self._resources.close()

    def _start_exporter(self, stack: ExitStack) -> Exporter | None:
        if self._settings.metrics_port is None:
            return None
        exporter = Exporter(self._settings.metrics_port, self._desk.health.report())
        stack.callback(exporter.close)
        LOG.info("figures for Prometheus at %s", exporter.address)
        return exporter

    def _try(self, what: str, step: Callable[[], object]) -> bool:
        """Does one step; whatever it raises is logged, and the loop goes on."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 (`Complaints` logs it)
            self._complaints.note(what, error)
            self._stop.wait(_PAUSE_SECONDS)  # a step that fails at once must not keep the machine busy
            return False
        return True

    def _wait(self) -> None:
        poller = zmq.Poller()  # a fresh one: the worker's socket changes
        for socket in (self._socket, self._gate.socket, self._door.socket):
            poller.register(socket, zmq.POLLIN)
        if self._scheduler.worker is not None and not self._store.is_behind:
            poller.register(self._scheduler.worker.socket, zmq.POLLIN)
        is_busy = self._clients.has_more or self._intake.is_busy or self._store.is_busy or self._desk.faces.is_busy
        poller.poll(_BUSY_MILLISECONDS if is_busy else _IDLE_MILLISECONDS)

    def _turn(self) -> None:
        self._try("the handshakes", self._gate.answer)
        self._try("counting connections", self._door.turn)
        self._try("the disk's answers", self._store.collect)
        self._try("what was asked about faces", self._desk.faces.collect)
        self._try("reading messages", self._read_messages)
        self._try("large messages", self._take_large)
        self._try("pausing uploads", self._back_pressure.turn)
        self._try("the scheduler", self._scheduler.tick)
        self._try("sending", self._clients.flush)

    def _read_messages(self) -> None:
        until = time.monotonic() + _READING_SECONDS
        while time.monotonic() < until:
            try:
                name, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            if self._guests.may_speak(name.bytes, frames[0]):
                self._receive(name.bytes, [frame.buffer for frame in frames])

    def _receive(self, client: bytes, parts: list[Bytes]) -> None:
        version = self._desk.weights_version
        try:
            if chunks.is_chunk(parts):
                self._receive_chunk(client, parts, version)
            elif self._intake.must_take(client, parts) and not _is_ping(parts):
                self._intake.put(client, parts, version)
            else:
                arrival = read(parts, version)
                if isinstance(arrival.message, Hello | Cancel):  # what is half sent will not be continued
                    self._intake.abandon(client, arrival.message.job or None)
                self._desk.handle(client, arrival)
        except MessageError as refusal:
            self._desk.handle(client, Arrival(None, refusal=refusal))
        except Exception as error:  # noqa: BLE001 (it costs this message, and nothing else)
            self._complaints.note("a message", error)
            self._clients.reply(client, failure(error))

    def _receive_chunk(self, client: bytes, parts: list[Bytes], version: str | None) -> None:
        if not self._clients.knows(client):
            raise MessageError("a chunk came before Hello; send Hello first", code=ErrorCode.UNKNOWN_CLIENT)
        self._intake.put_chunk(client, parts, version)

    def _take_large(self) -> None:
        for client, arrival in self._intake.take():
            self._desk.handle(client, arrival)

    def _do_upkeep(self) -> None:
        self._try("heartbeats", self._clients.send_heartbeats)
        self._try("revoked clients", self._guests.turn)
        self._try("forgetting clients", lambda: self._clients.forget_silent(self._settings.silent_seconds))
        self._try("unfinished messages", lambda: self._intake.keep_only(self._clients.names))
        self._try("upkeep of the store", self._store.do_upkeep)
        self._try("looking for the parent process", self._look_for_parent)
        if self._exporter is not None:
            exporter = self._exporter
            self._try("figures for Prometheus", lambda: exporter.publish(self._desk.health.report()))

    def _look_for_parent(self) -> None:
        if self._settings.parent_pid is not None and not is_alive(self._parent):
            LOG.info("process %d has ended, so the backend ends too", self._settings.parent_pid)
            self._stop.set()


def serve(
    *,
    connection_file: Path | None = None,
    device: str = "auto",
    bind: str = "127.0.0.1",
    data_dir: Path | None = None,
    parent_pid: int | None = None,
    metrics_port: int | None = None,
    keep_keys: bool = False,
) -> None:
    """Serves clients until SIGINT, SIGTERM or the end of the terminal, or until the parent process ends.

    Args:
        connection_file: where clients find address and keys; the user's default place if None.
        device: of the worker, "cpu", "cuda:0" or "auto".
        bind: IP address to listen on, optionally with ":port".
        data_dir: keeps queue, results, identities and logs; the user's data folder if None.
        parent_pid: the service ends when this process does.
        metrics_port: where Prometheus finds figures, on this machine only; 0: any free port; None: nowhere.
        keep_keys: the service's keys outlive a restart; they do anyway when other machines may connect.

    Raises:
        SpeechFaceError: the address, the data folder or the connection file cannot be used.
    """
    serve_with(
        ServiceSettings(
            connection_file=connection_file or default_connection_file(),
            data_dir=data_dir or data_folder(),
            device=device,
            bind=bind,
            parent_pid=parent_pid,
            metrics_port=metrics_port,
            keep_keys=keep_keys,
        )
    )


def serve_with(settings: ServiceSettings) -> None:
    """`serve` with every setting.

    Raises:
        SpeechFaceError: as `serve`.
    """
    start_log(settings.data_dir / "backend.log", is_stderr_kept=settings.parent_pid is not None)
    stop = threading.Event()
    for number in ending_signals():
        signal.signal(number, lambda *_: stop.set())
    server = Server(settings, stop)
    try:
        with offered(settings.connection_file, settings.data_dir):
            server.run()
    finally:
        server.close()


def _server_keys(settings: ServiceSettings) -> KeyPair:
    """Kept ones when they are wanted, other machines may connect, or clients on others were given them."""
    host, _ = listening(settings.bind)
    is_kept = settings.keep_keys or not is_loopback(host) or has_kept_keys(settings.data_dir)
    return kept_keys(settings.data_dir) if is_kept else KeyPair.fresh()


def _is_ping(parts: list[Bytes]) -> bool:
    try:
        return wire.read_header(parts).type == "Ping"
    except MessageError:
        return False


def _listening_socket(context: zmq.Context, gate: Gate, settings: ServiceSettings) -> zmq.Socket:
    socket = context.socket(zmq.ROUTER)
    socket.router_mandatory = True  # sending to a client that is gone or full is an error
    socket.maxmsgsize = MAX_CHUNK_BYTES
    socket.sndhwm = 16  # what is not sent yet stays in the store
    socket.rcvhwm = 64  # chunks of one client
    gate.guard_clients(socket)
    Door.prepare(socket, settings.handshake_seconds)
    return socket


def _process(pid: int | None) -> psutil.Process | None:
    try:
        return None if pid is None else psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
