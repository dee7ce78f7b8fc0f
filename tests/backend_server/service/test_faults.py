"""A service in a process of its own, and what must not end it."""

import itertools
import os
import signal
import socket
import struct
import sys
import threading
import time
import zlib

import numpy as np
import pytest

from backend_server.processes import is_alive
from backend_server.service.server import Server
from backend_server.service.settings import ServiceSettings
from shared import protocol, wire
from shared.endpoint import read_connection_file
from shared.errors import ErrorCode

SLOW, STUCK, NO_MEMORY, WAIT, HUNGRY = 1, 2, 7, 9, 11
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def with_header(message, **changes):
    """The message with other words in its header, which its checksum covers."""
    prefix, header, *rest = wire.encode(message)
    for old, new in changes.items():
        assert old.encode() in bytes(header)
        header = bytes(header).replace(old.encode(), new.encode())
    return [prefix[:6] + struct.pack("<I", zlib.crc32(header)), header, *rest]


def with_content(message, content):
    header = wire.encode(message)[1]
    old = wire.read_header(wire.encode(message)).content_crc
    parts = with_header(message, **{f'"content_crc":{old}': f'"content_crc":{zlib.crc32(content)}'})
    assert len(header) > 0
    return [*parts[:2], content, *parts[3:]]


LONG = "x" * 20_000
REFUSED = {
    "dtype": lambda animate: with_header(animate(), **{"<f4": LONG}),
    "type": lambda animate: with_header(protocol.Ping(), **{'"type":"Ping"': '"type":"' + "P" * 60 + '"'}),
    "failed code": lambda animate: with_content(
        protocol.Failed(code=ErrorCode.INTERNAL, sentence="a"),
        b'{"code":"%s","sentence":"a","detail":""}' % LONG.encode(),
    ),
    "name of a field": lambda animate: with_content(animate(), b'{"sample_rate":"%s"}' % LONG.encode()),
    "key of a dictionary": lambda animate: with_content(protocol.Done(), b'{"seconds":{"%s":"a"}}' % LONG.encode()),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_can_always_be_sent(service, animate, kind):
    client = service.client()
    client.socket.send_multipart(REFUSED[kind](animate))
    ping = client.send(protocol.Ping())
    seen = client.until(protocol.Pong)
    assert seen[-1].parent == ping.id
    assert isinstance(seen[0], protocol.Failed)
    assert len(seen[0].sentence) <= 4000


def test_names_of_clients_cannot_forge_lines_of_the_log(service):
    client = service.client(says_hello=False)
    forged = "2026-01-01 00:00:00,000 INFO backend_server.service.server: the key is 1234"
    client.send(protocol.Hello(client=f"me\n{forged}\r\u2028\x1b[2K"))
    client.receive()
    client.send(protocol.Done(seconds={}, job="x"))
    client.receive()
    lines = service.log.splitlines()
    assert any("client me\\n2026" in line and "\\u2028" in line and "\\x1b" in line for line in lines)
    assert not any(line.startswith(forged) for line in lines)


def test_the_queue_has_a_longest_length(new_service, animate):
    client = new_service(longest_queue=2).client()
    waiting = [client.send(animate(seed=WAIT)) for _ in range(2)]
    refused = client.send(animate())
    failed = client.finish(refused.job)[-1]
    assert failed.code is ErrorCode.TOO_LARGE
    assert "2 jobs wait already" in failed.sentence
    for job in waiting:
        client.send(protocol.Cancel(job=job.job))
        client.finish(job.job)
    assert isinstance(client.finish(client.send(animate()).job)[-1], protocol.Done)


@posix
def test_a_stopped_worker_is_noticed_and_replaced(new_service, animate):
    service = new_service(beat_seconds=2.0)
    client = service.client()
    request = client.send(animate(seed=WAIT))
    client.until(protocol.Progress, job=request.job)
    stopped = service.worker
    os.kill(stopped.pid, signal.SIGSTOP)
    service.go()
    assert isinstance(client.finish(request.job)[-1], protocol.Done)
    assert not is_alive(stopped)
    assert "no sign of life" in service.log


def test_a_job_without_progress_fails_with_its_stage(new_service, animate):
    service = new_service(stage_seconds=1.0)
    client = service.client()
    stuck, after = client.send(animate(seed=STUCK)), client.send(animate())
    failed = client.finish(stuck.job)[-1]
    assert failed.code is ErrorCode.WORKER_DIED
    assert "no progress for 1 s in the stage speech" in failed.sentence
    assert isinstance(client.finish(after.job)[-1], protocol.Done)


@posix
def test_a_worker_without_memory_never_hangs(new_service, animate):
    service = new_service()
    client = service.client()
    first = client.send(animate(seed=NO_MEMORY))
    before = service.worker.pid
    assert client.finish(first.job)[-1].code is ErrorCode.OUT_OF_MEMORY
    hungry, after = client.send(animate(seed=HUNGRY)), client.send(animate())
    failed = client.finish(hungry.job)[-1]
    assert failed.code in (ErrorCode.OUT_OF_MEMORY, ErrorCode.WORKER_DIED)
    assert "memory" in failed.sentence
    assert isinstance(client.finish(after.job)[-1], protocol.Done)
    assert service.worker.pid != before


@posix
def test_half_open_connections_without_a_key_leave_descriptors_for_the_service(new_service, animate):
    service = new_service(most_files=160)
    host, port = service.connection.address.removeprefix("tcp://").split(":")
    strangers = []
    try:
        for _ in range(200):
            strangers.append(socket.create_connection((host, int(port)), timeout=20))
        client = service.client()
        request = client.send(animate(frames=40, references=(np.zeros((4, 4, 3), np.uint8),)))
        assert isinstance(client.finish(request.job)[-1], protocol.Done)
        assert "strangers are cut" in service.log
        assert "Too many open files" not in service.log
    finally:
        for stranger in strangers:
            stranger.close()


# A server in this process, so that its parts can fail


@pytest.fixture
def running(tmp_path, monkeypatch):
    """A server whose loop runs in a thread."""
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))  # noqa: PTH120 (a list of paths)
    monkeypatch.setenv("SPEECH_FACE_FAKE_DIR", str(tmp_path))
    settings = ServiceSettings(
        connection_file=tmp_path / "connection.json",
        data_dir=tmp_path / "data",
        cascade="speech_face_fake:FakeCascade",
        spare_bytes=0,
    )
    stop = threading.Event()
    server = Server(settings, stop)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    stop.set()
    thread.join()
    server.close()


@pytest.mark.parametrize(
    "step",
    [
        "_gate.answer",
        "_door.turn",
        "_store.collect",
        "_store.do_upkeep",
        "_intake.take",
        "_scheduler.tick",
        "_clients.flush",
        "_clients.send_heartbeats",
        "_desk.handle",
    ],
)
def test_a_step_of_the_loop_that_fails_ends_nothing(running, new_client, animate, monkeypatch, step):
    client = new_client(read_connection_file(running._settings.connection_file))
    failures = itertools.count()
    part, _, name = step.partition(".")
    target = getattr(running, part)
    real = getattr(target, name)

    def fail(*values):
        if next(failures) < 3:
            raise RuntimeError(f"{step} fails")
        return real(*values)

    monkeypatch.setattr(target, name, fail)
    request = client.send(animate())
    if step == "_desk.handle":
        assert "_desk.handle fails" in client.until(protocol.Failed)[-1].sentence
    deadline = time.monotonic() + 20
    while next(failures) < 5:  # the heartbeat comes once a second
        client.send(protocol.Ping())
        assert time.monotonic() < deadline
        client.until(protocol.Pong, protocol.Failed)
    request = client.send(animate())
    assert isinstance(client.finish(request.job)[-1], protocol.Done)


def test_results_that_are_being_sent_are_not_deleted(running, new_client, animate, monkeypatch):
    client = new_client(read_connection_file(running._settings.connection_file))
    job = client.send(animate()).job
    client.finish(job)
    with monkeypatch.context() as patch:
        patch.setattr(running._clients, "is_attached", lambda name: name == job)
        client.send(protocol.Cancel(job=job, forgets=True))
        refused = client.until(protocol.Failed)[-1]
    assert (refused.code, refused.sequence) == (ErrorCode.BAD_VALUE, 0)
    assert "are being sent to a client; try again later" in refused.sentence
    client.send(protocol.Attach(job=job))
    assert isinstance(client.finish(job)[-1], protocol.Done)


@pytest.mark.slow
def test_pongs_come_at_once_beside_1500_jobs_and_their_ends(new_service, animate):
    service = new_service()
    client, other = service.client(), service.client()
    first = client.send(animate(seed=WAIT))
    client.until(protocol.Progress, job=first.job)
    jobs = [client.send(animate()).job for _ in range(1500)]
    waits, end = [], time.monotonic() + 6.0
    for job in jobs[:200]:
        client.send(protocol.Cancel(job=job))
    while time.monotonic() < end:
        began = time.monotonic()
        ping = other.send(protocol.Ping())
        assert other.receive().parent == ping.id
        waits.append(time.monotonic() - began)
        other.socket.poll(20)
    assert np.quantile(waits, 0.99) < 0.5  # on an idle machine under 0.2
