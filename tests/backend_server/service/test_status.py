import json
import socket
import threading
import time

import msgspec
import psutil
import pytest
from typer.testing import CliRunner

from backend_server.__main__ import app
from backend_server.service.inquiry import ask_status
from shared import protocol
from shared.endpoint import write_connection_file
from shared.errors import ErrorCode, SpeechFaceError

DIE_ONCE, BAD_SOUND, WAIT = 4, 6, 9


def ready(service):
    report = ask_status(service.connection_file)
    deadline = time.monotonic() + 20
    while report.state != "ready":
        assert time.monotonic() < deadline, report
        report = ask_status(service.connection_file)
    return report


def run_status(service, *options):
    return CliRunner().invoke(app, ["status", "--connection-file", str(service.connection_file), *options])


def test_the_report_tells_what_the_service_does(new_service, animate):
    service = new_service()
    report = ready(service)
    assert (report.pid, report.protocol, report.device) == (service.process.pid, protocol.PROTOCOL_VERSION, "cpu")
    assert report.weights_version == "0123456789ab"
    assert report.worker.pid == service.worker.pid
    assert 0 < report.worker.memory_bytes <= psutil.virtual_memory().total
    assert report.worker.job == ""
    assert report.memory_bytes > 2**20
    assert report.disk_free_bytes > 0
    assert 0 < report.uptime_seconds < 60
    assert report.client_count == 0, "who only asks is no client"

    client = service.client()
    first, second = client.send(animate(seed=WAIT)), client.send(animate())
    client.until(protocol.Progress, job=first.job)
    service.wait_for(lambda: ask_status(service.connection_file).queue_length == 1)
    service.wait_for(lambda: ask_status(service.connection_file).worker.steps == 100_000)
    report = ask_status(service.connection_file)
    assert (report.worker.job, report.worker.stage) == (first.job, "speech")
    assert report.jobs.by_state == {"arriving": 0, "queued": 1, "running": 1, "ended": 0}
    assert report.client_count == 1
    assert 0 < report.spool_bytes < report.spool_limit_bytes

    service.go()
    client.finish(first.job)
    client.finish(second.job)
    assert ask_status(service.connection_file).jobs.done == 2


def test_each_end_is_counted_once(new_service, animate):
    service = new_service()
    client = service.client()
    jobs = [client.send(animate(seed=seed)).job for seed in (0, DIE_ONCE, BAD_SOUND, BAD_SOUND)]
    for job in jobs:
        client.finish(job)
    waiting = client.send(animate(seed=WAIT)).job
    client.until(protocol.Accepted, job=waiting)
    for _ in range(2):  # the second one finds it ended
        client.send(protocol.Cancel(job=waiting))
        client.finish(waiting)
    counts = ask_status(service.connection_file).jobs
    assert (counts.done, counts.failed, counts.cancelled, counts.retried) == (2, {"bad_sound": 2}, 1, 1)
    assert counts.by_state["ended"] == 5


def test_the_command_prints_it_and_exits_with_0(service):
    ready(service)
    result = run_status(service)
    assert result.exit_code == 0, result.output
    for words in ("ready", f"protocol {protocol.PROTOCOL_VERSION}", str(service.process.pid), "0 waiting", "free disk"):
        assert words in result.stdout
    values = json.loads(run_status(service, "--json").stdout)
    assert values["state"] == "ready"
    assert values["jobs"]["by_state"].keys() == {"arriving", "queued", "running", "ended"}


def test_a_worker_that_cannot_load_is_unhealthy_and_the_exit_code_1(new_service):
    service = new_service(device="missing")
    service.wait_for(lambda: ask_status(service.connection_file).state == "unhealthy")
    assert "cannot read the weights file" in ask_status(service.connection_file).trouble
    result = run_status(service)
    assert result.exit_code == 1
    assert "unhealthy" in result.stdout


def test_a_full_spool_is_unhealthy(new_service, animate):
    service = new_service(spool_bytes=60_000)
    ready(service)
    client = service.client()
    client.finish(client.send(animate(frames=3)).job)
    service.wait_for(lambda: ask_status(service.connection_file).spool_bytes > 0)
    report = ask_status(service.connection_file)
    assert (report.state, report.spool_limit_bytes) == ("ready", 60_000)
    tight = new_service(spool_bytes=0)
    tight.wait_for(lambda: ask_status(tight.connection_file).state == "unhealthy")
    assert "no room" in ask_status(tight.connection_file).trouble


def test_other_messages_still_need_a_hello(service):
    client = service.client(says_hello=False)
    client.send(protocol.Ping())
    assert client.receive().code is ErrorCode.UNKNOWN_CLIENT
    client.send(protocol.Status())
    assert isinstance(client.receive(), protocol.StatusReport)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_backend_that_is_gone_or_stopped_costs_one_sentence_and_3_seconds(new_service, is_stopped):
    service = new_service()
    process = psutil.Process(service.process.pid)
    if is_stopped:
        process.suspend()
    else:
        service.kill()
    began = time.monotonic()
    try:
        result = run_status(service)
    finally:
        if is_stopped:
            process.resume()
    assert time.monotonic() - began < 4.0
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert ("no answer within 3 s" if is_stopped else "nothing listens there") in result.stderr


def test_another_server_key_and_another_program_are_named(service, tmp_path):
    path, connection = tmp_path / "connection.json", service.connection
    write_connection_file(path, msgspec.structs.replace(connection, server_public_key=connection.client_public_key))
    with pytest.raises(SpeechFaceError, match="closed the connection"):
        ask_status(path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        path.unlink()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        write_connection_file(path, msgspec.structs.replace(connection, address=address))
        with pytest.raises(SpeechFaceError, match=r"no answer within 0\.3 s"):
            ask_status(path, 0.3)


def test_a_name_is_looked_up_and_one_that_takes_long_is_given_up(service, tmp_path, monkeypatch):
    path, connection = tmp_path / "connection.json", service.connection
    named = connection.address.replace("127.0.0.1", "gpu.test")
    write_connection_file(path, msgspec.structs.replace(connection, address=named))
    look_up, release = socket.getaddrinfo, threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **kinds: look_up("127.0.0.1", *args, **kinds))
    assert ask_status(path).pid == service.process.pid
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kinds: release.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(SpeechFaceError, match=r"gpu\.test.*its name cannot be looked up"):
        ask_status(path, 0.3)
    assert time.monotonic() - began < 3
    release.set()
