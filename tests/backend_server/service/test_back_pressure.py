"""Tests that a slow disk stops the uploads, and neither fills the memory nor delays or loses anything."""

import os
import threading
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.chaos.client import ChaosClient
from backend_server.chaos.waiting import wait_until
from backend_server.service import intake as intake_module
from backend_server.service.back_pressure import BackPressure
from backend_server.service.server import Server
from backend_server.service.settings import ServiceSettings
from backend_server.service.storage.job_files import JobFiles
from shared import chunks, pause, protocol, wire
from shared.endpoint import read_connection_file
from shared.errors import ErrorCode, MessageError

HERE = Path(__file__).parent
BOUND = 8_000_000
SMALL, LARGE = 3_000_000, 20_000_000  # bytes of two kinds of requests
DEADLINE = 60.0


class SlowDisk:
    """Requests and results are written when `opens` is set."""

    def __init__(self, monkeypatch):
        self.opens = threading.Event()
        write = JobFiles.write

        def wait_and_write(*arguments, **options):
            assert self.opens.wait(DEADLINE)
            write(*arguments, **options)

        monkeypatch.setattr(JobFiles, "write", wait_and_write)


@pytest.fixture
def disk(monkeypatch):
    return SlowDisk(monkeypatch)


@pytest.fixture
def server(tmp_path, monkeypatch, disk):
    """A service in this process, so that a test sees what it holds, and whose disk waits for the test."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(HERE.parents[2]), str(HERE))))
    monkeypatch.setenv("SPEECH_FACE_FAKE_DIR", str(tmp_path))
    settings = ServiceSettings(
        connection_file=tmp_path / "run" / "connection.json",
        data_dir=tmp_path / "data",
        cascade="speech_face_fake:FakeCascade",
        spare_bytes=0,
        unwritten_bytes=BOUND,
    )
    stop = threading.Event()
    server = Server(settings, stop)
    server.connection = read_connection_file(settings.connection_file)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    stop.set()
    thread.join()
    disk.opens.set()
    server.close()


@pytest.fixture
def connect(server):
    """Patient clients, which heed pauses as the add-on does."""
    clients = []

    def connect():
        clients.append(ChaosClient(lambda: server.connection, silent_seconds=5.0))
        assert clients[-1].connect(DEADLINE)
        return clients[-1]

    yield connect
    for client in clients:
        client.__exit__()


class Crowd:
    """Clients that are polled in turns.

    Attributes:
        most_bytes: that ever waited for the disk, by the writer's own count.
        messages: of each job.
    """

    def __init__(self, server, clients):
        self.server, self.clients = server, clients
        self.most_bytes = 0
        self.messages = {}

    def poll_until(self, condition, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            for client in self.clients:
                for message in client.poll(0.001):
                    if not isinstance(message, protocol.Pong):
                        self.messages.setdefault(message.job, []).append(message)
                self.most_bytes = max(self.most_bytes, self.server._store.unwritten_bytes)

    def poll_for(self, seconds):
        until = time.monotonic() + seconds
        self.poll_until(lambda: time.monotonic() > until)

    def ends(self):
        """The last message of each job that has one."""
        return {job: told[-1] for job, told in self.messages.items() if protocol.is_last(told[-1])}


@pytest.mark.slow
def test_a_slow_disk_stops_uploads_and_nothing_else(server, disk, connect, new_client, animate):
    crowd = Crowd(server, [connect() for _ in range(4)])
    first, *others = crowd.clients
    bystander = new_client(server.connection)

    def request(byte_count):
        return animate(speech=np.zeros(byte_count // 4, np.float32), sample_rate=192_000)

    begun = [request(LARGE) for _ in others]
    for client, message in zip(others, begun, strict=True):
        client.send(message)  # its first 64 chunks at most
    filling = [request(SMALL) for _ in range(3)]
    for message in filling:
        first.send(message)
    Crowd(server, [first]).poll_until(lambda: server._store.unwritten_bytes > BOUND)
    crowd.poll_until(lambda: all(client._pause.is_on for client in crowd.clients))
    later = [request(SMALL) for _ in range(8)]
    for index, message in enumerate(later):
        crowd.clients[index % 4].send(message)
    crowd.poll_for(0.5)  # what was on its way
    sent = [client._large[0].sent_bytes for client in crowd.clients]
    pongs = []
    until = time.monotonic() + pause.PAUSE_SECONDS + 1
    while time.monotonic() < until:
        crowd.poll_for(0.05)
        pongs.append(bystander.pong_seconds())
    assert np.percentile(pongs, 95) < 0.2
    assert len(pongs) > 20
    assert [client._large[0].sent_bytes for client in crowd.clients] == sent
    assert all(0 < count < LARGE for count in sent[1:])
    assert sent[0] == 0
    assert crowd.most_bytes < BOUND + SMALL + 1000
    assert crowd.messages == {}  # nothing is accepted before it is on disk, and nobody is refused
    assert all(client.is_ready for client in crowd.clients)
    cancelled = begun.pop()
    others[-1]._large.popleft()
    others[-1].send(protocol.Cancel(job=cancelled.job))
    crowd.poll_until(lambda: cancelled.job in crowd.messages, 1.0)
    assert crowd.messages.pop(cancelled.job)[0].code is ErrorCode.UNKNOWN_JOB
    disk.opens.set()
    crowd.poll_until(lambda: len(crowd.ends()) == len(begun + filling + later))
    assert all(isinstance(end, protocol.Done) and end.frame_count == 3 for end in crowd.ends().values())
    assert {message.job for message in begun + filling + later} == crowd.ends().keys()


def test_who_does_not_pause_is_refused_when_the_memory_is_used_up(server, new_client, animate):
    server._intake._budget.most_bytes = BOUND
    client = new_client(server.connection)
    requests = [animate(speech=np.zeros(SMALL // 4, np.float32), sample_rate=192_000) for _ in range(4)]
    for message in requests[:2]:
        client.send(message)
    assert wait_until(lambda: server._store.unwritten_bytes >= 2 * SMALL, DEADLINE), "the requests did not arrive"
    client.send(requests[2])
    client.socket.send_multipart(wire.encode(requests[3]))  # whole, without chunks
    for message in requests[2:]:
        refusal = client.receive()
        assert (refusal.code, refusal.parent, refusal.job) == (ErrorCode.OUT_OF_MEMORY, message.id, message.job)
        assert f"of {BOUND} bytes are taken by other messages" in refusal.sentence
        assert "wait for the disk; send it again later" in refusal.sentence


class Listener:
    """Clients that note what they are told."""

    def __init__(self, *names):
        self.names = dict.fromkeys(names)
        self.told = deque()

    def reply(self, name, message):
        self.told.append((name, message.step))

    def heard(self):
        told, self.told = sorted(self.told), deque()
        return told


@pytest.fixture
def load():
    """A store that says what a test wants."""
    return SimpleNamespace(unwritten_bytes=0, is_behind=False)


def test_all_clients_are_asked_each_second_until_half_is_written(load, clock, new_intake):
    clients = Listener("a", "b")
    pressure = BackPressure(new_intake(), load, clients, 100, clock)
    load.unwritten_bytes = 100
    pressure.turn()
    assert clients.heard() == []
    load.unwritten_bytes = 101
    pressure.turn()
    pressure.turn()
    assert clients.heard() == [("a", 0), ("b", 0)]
    clients.names["c"] = None  # says Hello meanwhile
    del clients.names["a"]  # is gone
    load.unwritten_bytes = 51
    pressure.turn()
    assert clients.heard() == [("c", 0)]
    clock.seconds += 1.0
    pressure.turn()
    assert clients.heard() == [("b", 0), ("c", 0)]
    load.unwritten_bytes, load.is_behind = 50, True
    pressure.turn()
    assert clients.heard() == []
    load.is_behind = False
    pressure.turn()
    pressure.turn()
    assert clients.heard() == [("b", 1), ("c", 1)]
    load.unwritten_bytes = 100
    pressure.turn()
    assert clients.heard() == []


def first_chunk(animate):
    return chunks.Sending(wire.encode(animate(speech=np.zeros(500_000, np.float32)))).piece()


@pytest.mark.parametrize("is_paused", [False, True])
def test_what_pauses_is_not_given_up_as_idle(load, clock, new_intake, monkeypatch, animate, is_paused):
    intake = new_intake()
    pressure = BackPressure(intake, load, Listener("a"), 100, clock)
    intake.put_chunk(b"a", first_chunk(animate), None)
    intake._assemblers[b"a"]._open.touched -= intake_module.IDLE_SECONDS
    load.unwritten_bytes = 200 if is_paused else 0
    pressure.turn()
    intake.keep_only({b"a"})
    assert (intake._budget.held_bytes > 0) == is_paused


def test_what_waits_for_the_disk_counts_as_arriving(new_intake, animate):
    waiting = [3_000_000]
    intake = new_intake(most_bytes=4_000_000, unwritten_bytes=lambda: waiting[0])
    with pytest.raises(MessageError, match="3000000 of 4000000 bytes are taken"):
        intake.put_chunk(b"a", first_chunk(animate), None)
    waiting[0] = 0
    intake.put_chunk(b"a", first_chunk(animate), None)
    whole = wire.encode(animate(speech=np.zeros(600_000, np.float32)))
    with pytest.raises(MessageError, match="still arriving"):
        intake.put(b"b", whole, None)
    intake.abandon(b"a")
    intake.put(b"b", whole, None)
    deadline = time.monotonic() + DEADLINE
    while not list(intake.take()):
        assert time.monotonic() < deadline, "the intake did not read it"
    assert intake._budget.held_bytes == 0
