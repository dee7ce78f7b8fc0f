import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import zmq

from backend_server.service.intake import Intake
from backend_server.service.storage.store import JobStore
from shared import chunks, protocol, wire
from shared.assembly import Assembler
from shared.endpoint import read_connection_file
from shared.errors import ConnectionFileError

ROOT, HERE = Path(__file__).parents[3], Path(__file__).parent
DEADLINE = 60.0  # seconds; a machine that does several things at once is slow
LAUNCH = """
import json, signal, sys
from pathlib import Path
from backend_server.service import health
from backend_server.service.server import serve_with
from backend_server.service.settings import ServiceSettings
values = json.loads(sys.argv[1])
health.MAX_LISTED_JOBS = values.pop("listed_at_once", health.MAX_LISTED_JOBS)
for name in ("connection_file", "data_dir"):
    values[name] = Path(values[name])
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_IGN if values.pop("outlives_terminal", False) else signal.SIG_DFL)
serve_with(ServiceSettings(**values))
"""


class Client:
    """A small blocking client."""

    def __init__(self, connection, keys=None, server_key=None, says_hello=True):
        public, secret = keys or (connection.client_public_key.encode(), connection.client_secret_key.encode())
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.sndhwm = 8  # chunks; a ping is not stuck behind a whole upload
        if public:
            self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
            self.socket.curve_serverkey = server_key or connection.server_public_key.encode()
        self.socket.ipv6 = "[" in connection.address
        self.socket.connect(connection.address)
        self.welcome = None
        self.assembler = Assembler()
        if says_hello:
            self.send(protocol.Hello(client="test"))
            self.welcome = self.receive()

    def send(self, message):
        """Sends a message, a large one in chunks."""
        sending = chunks.Sending(wire.encode(message))
        while not sending.is_over:
            self.socket.send_multipart(sending.piece())
            sending.advance()
        return message

    def receive(self, seconds=DEADLINE):
        """The next message that is not an unrequested heartbeat."""
        deadline = time.monotonic() + seconds
        while True:
            assert self.socket.poll(max(0.0, deadline - time.monotonic()) * 1000), "the service did not answer"
            parts = self.socket.recv_multipart()
            if chunks.is_chunk(parts):
                parts = self.assembler.take(parts)
                if parts is None:
                    continue
            message = wire.decode(parts)
            if message.parent or not isinstance(message, protocol.Pong):
                return message

    def until(self, *kinds, job=None, seconds=DEADLINE):
        """All messages (of a job) up to the first of one of the kinds."""
        deadline = time.monotonic() + seconds
        seen = []
        while True:
            message = self.receive(max(0.0, deadline - time.monotonic()))
            if job in (None, message.job):
                seen.append(message)
                if isinstance(message, kinds):
                    return seen

    def finish(self, job):
        """All messages of a job up to its last."""
        return self.until(protocol.Done, protocol.Failed, protocol.Cancelled, job=job)

    def pong_seconds(self):
        """How long the answer to a ping takes."""
        began = time.monotonic()
        ping = self.send(protocol.Ping())
        while self.receive().parent != ping.id:
            pass
        return time.monotonic() - began

    def close(self):
        self.context.destroy(linger=0)


class Service:
    """A service in a process of its own, with the fake cascade."""

    def __init__(self, folder, most_files=0, **settings):
        self.folder = folder
        self.connection_file = folder / "run" / "connection.json"
        self.data_dir = folder / "data"
        self.fake_dir = folder / "fake"
        self.fake_dir.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "connection_file": str(self.connection_file),
            "data_dir": str(self.data_dir),
            "cascade": "speech_face_fake:FakeCascade",
            "spare_bytes": 0,
            "stuck_seconds": 1.0,
            **settings,
        }
        self.clients = []
        self.process = None
        self.most_files = most_files
        self.start()

    def start(self):
        path = os.pathsep.join((str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")))
        environment = {**os.environ, "PYTHONPATH": path, "SPEECH_FACE_FAKE_DIR": str(self.fake_dir)}
        limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({self.most_files},) * 2)\n"
        launch = (limit if self.most_files else "") + LAUNCH
        self.process = subprocess.Popen(
            [sys.executable, "-c", launch, json.dumps(self.settings)], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            self.wait_for(lambda: self.connection.pid == self.process.pid)
        except AssertionError:
            self.process.kill()  # nobody else will end it
            raise

    @property
    def connection(self):
        return read_connection_file(self.connection_file)

    def client(self, **options):
        self.clients.append(Client(self.connection, **options))
        return self.clients[-1]

    def wait_for(self, condition, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        while True:
            with suppress(ConnectionFileError):  # a killed service's file goes at any moment
                if condition():
                    return
            assert time.monotonic() < deadline, "waited in vain"
            assert self.process.poll() is None, f"the service ended with {self.process.returncode}"
            time.sleep(0.01)  # polling

    def go(self):
        """Lets the paused fake cascades continue."""
        (self.fake_dir / "go").touch()

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def worker(self):
        """The worker process of this moment."""
        self.wait_for(lambda: psutil.Process(self.process.pid).children())
        return psutil.Process(self.process.pid).children()[0]

    @property
    def log(self):
        return (self.data_dir / "backend.log").read_text("utf-8")

    def end(self):
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE)


@pytest.fixture(scope="module")
def module_service(tmp_path_factory):
    """Starts a service with the given settings; ended after the module."""
    services = []

    def start(**settings):
        services.append(Service(tmp_path_factory.mktemp("service"), **settings))
        return services[-1]

    yield start
    for service in services:
        service.end()


@pytest.fixture
def new_service(tmp_path):
    """Starts a service with the given settings; ended after the test."""
    services = []

    def start(**settings):
        services.append(Service(tmp_path / f"service{len(services)}", **settings))
        return services[-1]

    yield start
    for service in services:
        service.end()


@pytest.fixture
def new_client():
    """Connects clients that are closed after the test."""
    clients = []

    def connect(connection):
        clients.append(Client(connection))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.end()


@pytest.fixture
def service(shared_service):
    """One service for the whole module."""
    return shared_service


@pytest.fixture
def animate():
    """Makes a request that the fake cascade understands; `seed` chooses what happens."""

    def make(frames=3, **values):
        return protocol.AnimateRequest(
            **{
                "job": protocol.new_id(),
                "sample_rate": 16_000,
                "speech": np.zeros(1600, np.float32),
                "frame_times": np.arange(frames) / 25,
                **values,
            }
        )

    return make


@pytest.fixture
def adapt():
    """Makes a request for an identity."""

    def make(count=2, **values):
        images = tuple(np.full((6 + i, 8, 3), i, np.uint8) for i in range(count))
        return protocol.AdaptRequest(**{"job": protocol.new_id(), "images": images, "epochs": 2, **values})

    return make


class PatientStore(JobStore):
    """A store that a test can wait for."""

    def add_now(self, job, request=(b"request",), needed=0):
        """Adds a job; returns why it could not be stored."""
        told = []
        self.add(job, list(request), needed, told.append)
        self.settle()
        return told[0]

    def end_now(self, job, message=b"end"):
        self.end(job, lambda _sequence: [message])
        self.settle()

    def result_now(self, job, sequence):
        assert self.result(job, sequence) is None
        self.settle()
        return self.result(job, sequence)


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def new_clock():
    return Clock


@pytest.fixture
def make_store():
    return PatientStore


@pytest.fixture
def open_store(tmp_path):
    """Opens stores on one folder, one after the other; the last one is closed after the test."""
    stores = []

    def open_one(limits=None, **options):
        if stores:
            stores[-1].close()
        stores.append(PatientStore(tmp_path / "jobs", limits, **options))
        return stores[-1]

    yield open_one
    if stores:
        stores[-1].close()


@pytest.fixture
def store(open_store):
    """A store with an empty folder."""
    return open_store()


@pytest.fixture
def new_intake():
    """Makes intakes, and ends their threads."""
    made = []

    def make(**values):
        made.append(Intake(**values))
        return made[-1]

    yield make
    for intake in made:
        intake.close()
