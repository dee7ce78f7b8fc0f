import os
import socket
import sys
import time

import pytest
import zmq
from typer.testing import CliRunner

from backend_server.__main__ import app
from backend_server.service.inquiry import ask_status
from shared import protocol
from shared.endpoint import read_connection_file
from shared.errors import ErrorCode, SpeechFaceError

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as six:
            six.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def clients(tmp_path):
    """Runs `clients ARGS` on the data folder of a service, which need not run yet."""

    def run(data_dir, *args):
        result = CliRunner().invoke(app, ["clients", *args, "--data-dir", str(data_dir)])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def when_let_in(path):
    """The report that the client of this file gets once the service has noticed it."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return ask_status(path)
        except SpeechFaceError as error:
            assert "refuses the keys" in error.sentence
            assert time.monotonic() < deadline, error.sentence


def restarted(service):
    service.end()
    service.start()
    return service.connection


@pytest.mark.parametrize(
    ("settings", "is_kept"), [({}, False), ({"keep_keys": True}, True), ({"bind": "0.0.0.0"}, True)]
)
def test_the_servers_keys_outlive_a_restart_where_they_are_wanted(new_service, settings, is_kept):
    service = new_service(**settings)
    before = service.connection
    after = restarted(service)
    assert (before.server_public_key == after.server_public_key) == is_kept
    assert before.client_public_key != after.client_public_key
    path = service.data_dir / "server_key.json"
    assert path.exists() == is_kept
    if is_kept and sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_client_keeps_its_file_over_restarts_of_the_service(new_service, clients, tmp_path, port):
    out = tmp_path / "laptop.json"
    data_dir = tmp_path / "service0" / "data"
    told = clients(data_dir, "add", "laptop", "--out", str(out), "--address", f"tcp://127.0.0.1:{port}")
    assert "must be started again once" in told
    service = new_service(bind=f"127.0.0.1:{port}")  # it uses the kept keys, as clients have them
    assert ask_status(out).pid == service.process.pid
    restarted(service)
    assert ask_status(out).pid == service.process.pid
    assert read_connection_file(out).pid == 0


def test_a_client_is_added_and_revoked_while_the_service_runs(new_service, clients, new_client, tmp_path):
    service = new_service(keep_keys=True)
    kept, gone = tmp_path / "kept.json", tmp_path / "gone.json"
    for out in (kept, gone):
        told = clients(service.data_dir, "add", out.stem, "--out", str(out), "--address", service.connection.address)
        assert "started again" not in told
        when_let_in(out)
    first, second = new_client(read_connection_file(kept)), new_client(read_connection_file(gone))
    monitor = second.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    assert ask_status(kept).client_count == 2

    clients(service.data_dir, "revoke", "gone")
    for event in (zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_AUTH):  # it was silent, and it tries again
        assert monitor.poll(20_000), "the revoked client was not cut"
        assert int.from_bytes(monitor.recv_multipart()[0][:2], sys.byteorder) == event
    second.socket.disable_monitor()
    monitor.close()
    with pytest.raises(SpeechFaceError, match="refuses the keys") as caught:
        ask_status(gone)
    assert caught.value.code is ErrorCode.BACKEND_UNREACHABLE
    first.send(protocol.Ping())
    assert isinstance(first.receive(), protocol.Pong)
    assert ask_status(kept).client_count == 1


def test_a_client_that_only_asks_and_never_says_hello_is_cut_too(new_service, clients, new_client, tmp_path):
    service, out = new_service(keep_keys=True), tmp_path / "monitor.json"
    clients(service.data_dir, "add", "monitor", "--out", str(out), "--address", service.connection.address)
    when_let_in(out)
    asking = service.client(says_hello=False, keys=keys_of(out))
    asking.send(protocol.Status())
    assert isinstance(asking.receive(), protocol.StatusReport)
    monitor = asking.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    clients(service.data_dir, "revoke", "monitor")
    assert monitor.poll(20_000)
    asking.socket.disable_monitor()
    monitor.close()


def keys_of(path):
    connection = read_connection_file(path)
    return connection.client_public_key.encode(), connection.client_secret_key.encode()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("bind", ["::1", "[::1]"])
def test_ipv6(new_service, clients, animate, tmp_path, bind):
    service, out = new_service(bind=bind), tmp_path / "six.json"
    assert service.connection.address.startswith("tcp://[::1]:")
    client = service.client()
    assert isinstance(client.finish(client.send(animate()).job)[-1], protocol.Done)
    clients(service.data_dir, "add", "six", "--out", str(out), "--address", service.connection.address)
    restarted(service)
    assert ask_status(service.connection_file).pid == service.process.pid


@posix
def test_a_key_file_that_others_can_read_is_refused(new_service, tmp_path):
    service = new_service(keep_keys=True)
    service.end()
    path = service.data_dir / "server_key.json"
    path.chmod(0o644)
    result = CliRunner().invoke(
        app, ["serve", "--data-dir", str(service.data_dir), "--connection-file", str(tmp_path / "c.json")]
    )
    assert result.exit_code == 2
    assert f"chmod 600 {path}" in result.stderr
    assert os.path.exists(path)  # noqa: PTH110 (no file of the user's is removed)
