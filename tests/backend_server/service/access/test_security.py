import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import zmq

from backend_server.processes import is_alive
from backend_server.service.access import security
from shared import endpoint, protocol, wire
from shared.errors import ConnectionFileError, ErrorCode, ValueRangeError

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@pytest.mark.parametrize("kind", ["no keys", "unknown client key", "wrong server key"])
def test_a_client_without_the_right_keys_is_refused(service, kind):
    public, secret = zmq.curve_keypair()
    options = {
        "no keys": {"keys": (b"", b"")},
        "unknown client key": {"keys": (public, secret)},
        "wrong server key": {"server_key": public},
    }[kind]
    stranger = service.client(says_hello=False, **options)
    monitor = stranger.socket.get_monitor_socket(
        zmq.EVENT_HANDSHAKE_FAILED_AUTH
        | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        | zmq.EVENT_DISCONNECTED
    )
    with contextlib.suppress(zmq.Again):  # a line that was closed already takes nothing
        stranger.socket.send_multipart(wire.encode(protocol.Hello()), zmq.NOBLOCK)
    assert monitor.poll(10_000), "the handshake neither failed nor ended"
    stranger.socket.disable_monitor()
    monitor.close()
    assert not stranger.socket.poll(100), "a stranger was answered"
    assert isinstance(service.client().welcome, protocol.Welcome)


@posix
def test_the_connection_file_is_private(service):
    assert service.connection_file.stat().st_mode & 0o777 == 0o600
    for folder in (service.data_dir / "jobs", service.data_dir / "identities", service.connection_file.parent):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_another_major_version_is_refused_with_a_sentence(service, monkeypatch):
    client = service.client(says_hello=False)
    with monkeypatch.context() as patch:
        patch.setattr(wire, "PROTOCOL_VERSION", "9.1")
        hello = client.send(protocol.Hello())
    failed = client.receive()
    assert (failed.code, failed.parent) == (ErrorCode.VERSION_MISMATCH, hello.id)
    assert "speaks protocol 9.1" in failed.sentence
    with monkeypatch.context() as patch:
        patch.setattr(wire, "PROTOCOL_VERSION", "2.9")  # a newer minor one is welcome
        client.send(protocol.Hello())
    assert isinstance(client.receive(), protocol.Welcome)


def test_garbage_is_answered_and_a_flood_of_it_does_no_harm(service, animate):
    client = service.client()
    good = wire.encode(protocol.Ping())
    for parts in ([b""], [b"x"] * 3, good[:2], [*good, b"more"], [good[0], bytes(good[1])[:-1], good[2]]):
        client.socket.send_multipart(parts)
        assert client.receive().code is ErrorCode.BAD_MESSAGE
    client.socket.send_multipart([b"x" * 10] * 65)
    assert client.receive().code is ErrorCode.TOO_LARGE

    flooder = service.client()
    flooder.socket.sndtimeo = 20_000
    rng = np.random.default_rng(0)
    for _ in range(3000):
        flooder.socket.send_multipart([rng.bytes(int(rng.integers(0, 40))) for _ in range(rng.integers(1, 5))])
    request = client.send(animate())
    assert isinstance(client.finish(request.job)[-1], protocol.Done)


def test_a_request_with_values_out_of_range_names_them(service, animate, monkeypatch):
    client = service.client()
    with monkeypatch.context() as patch:
        patch.setattr(wire, "_check_buffers", lambda *_: None)
        request = client.send(animate(frame_times=np.zeros(3)))
    failed = client.finish(request.job)[-1]
    assert failed.code is ErrorCode.BAD_VALUE
    assert failed.parent == request.id
    assert "frame times must ascend" in failed.sentence


def test_a_second_backend_does_not_push_the_first_one_out(service, tmp_path):
    with pytest.raises(ConnectionFileError, match="running already"):
        security.announce(
            service.connection_file, "tcp://127.0.0.1:1", security.KeyPair.fresh(), security.KeyPair.fresh()
        )
    other = {**service.settings, "connection_file": str(tmp_path / "other.json")}
    result = launch(other)
    assert "uses the data folder" in result.stderr
    assert result.returncode != 0


def launch(settings):
    import json

    code = (
        "import json, sys\nfrom pathlib import Path\n"
        "from backend_server.service.server import serve\n"
        "v = json.loads(sys.argv[1])\n"
        "serve(connection_file=Path(v['connection_file']), data_dir=Path(v['data_dir']))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, json.dumps(settings)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_stale_connection_file_is_replaced(tmp_path):
    path = tmp_path / "connection.json"
    keys = security.KeyPair.fresh()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    key = keys.public.decode()
    endpoint.write_connection_file(
        path,
        endpoint.Connection(
            address="tcp://127.0.0.1:1",
            server_public_key=key,
            client_public_key=key,
            client_secret_key=key,
            pid=dead.pid,
        ),
    )
    security.announce(path, "tcp://127.0.0.1:2", keys, keys)
    assert endpoint.read_connection_file(path).address == "tcp://127.0.0.1:2"
    security.withdraw(path)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b'{"client_secret_key": "ab'])
def test_a_damaged_connection_file_is_replaced(tmp_path, content):
    path = tmp_path / "connection.json"
    path.write_bytes(content)
    keys = security.KeyPair.fresh()
    security.announce(path, "tcp://127.0.0.1:2", keys, keys)
    assert endpoint.read_connection_file(path).address == "tcp://127.0.0.1:2"


def test_a_file_that_is_not_ours_is_never_replaced(tmp_path):
    path, keys = tmp_path / "thesis.txt", security.KeyPair.fresh()
    path.write_text("three years of work")
    with pytest.raises(ConnectionFileError, match="not a connection file"):
        security.announce(path, "tcp://127.0.0.1:2", keys, keys)
    assert path.read_text() == "three years of work"
    with pytest.raises(ConnectionFileError, match="not a connection file"):
        security.announce(tmp_path, "tcp://127.0.0.1:2", keys, keys)


def test_an_address_that_is_not_ours_is_named():
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    with pytest.raises(ValueRangeError, match=r"cannot listen on 203\.0\.113\.7"):
        security.bind(socket, "203.0.113.7")
    context.destroy(linger=0)


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_it_ends_cleanly_and_takes_its_worker_along(new_service, name):
    service = new_service()
    worker = worker_of(service)
    os.kill(service.process.pid, signal.Signals[name])
    assert service.process.wait(20) == 0
    assert not service.connection_file.exists()
    worker.wait(20)


@posix
def test_what_a_terminal_sends_to_all_its_processes_does_not_end_the_worker(service, animate):
    client = service.client()
    client.finish(client.send(animate()).job)
    worker = service.worker
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(worker.pid, number)
    assert isinstance(client.finish(client.send(animate()).job)[-1], protocol.Done)
    assert service.worker.pid == worker.pid


@posix
def test_it_outlives_its_terminal_when_it_is_started_so(new_service):
    service = new_service(outlives_terminal=True)
    os.kill(service.process.pid, signal.SIGHUP)
    assert isinstance(service.client().welcome, protocol.Welcome)
    os.kill(service.process.pid, signal.SIGTERM)
    assert service.process.wait(20) == 0


@posix
def test_the_worker_ends_when_the_server_is_killed(new_service):
    service = new_service()
    worker = worker_of(service)
    service.kill()
    worker.wait(20)
    assert not is_alive(worker)


@posix
def test_it_ends_with_its_parent(new_service):
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    service = new_service(parent_pid=parent.pid)
    assert isinstance(service.client().welcome, protocol.Welcome)
    parent.communicate(b"\n")
    assert service.process.wait(20) == 0


def worker_of(service):
    service.wait_for(lambda: psutil.Process(service.process.pid).children())
    (worker,) = psutil.Process(service.process.pid).children()
    return worker
