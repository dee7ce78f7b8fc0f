"""Tests the client, the proxy and the follower of a job against a real server."""

import os
import signal

import msgspec
import numpy as np
import psutil
import pytest

from backend_server.chaos import server as server_module
from backend_server.chaos.child import Order
from backend_server.chaos.client import ChaosClient
from backend_server.chaos.faults.fault import Scene
from backend_server.chaos.injections import FAULTS
from backend_server.chaos.job import Job
from backend_server.chaos.light_cascade import BAD_SOUND, NO_MEMORY
from backend_server.chaos.proxy import Proxy
from backend_server.chaos.server import ChaosServer
from backend_server.chaos.variants import FRAME_COUNTS, VARIANT_COUNT, adaptation, animation
from backend_server.chaos.waiting import wait_until
from backend_server.processes import is_alive
from shared.errors import ErrorCode
from shared.protocol import Cancel, Cancelled, Done, TextureFrames

PATIENCE = 20.0


@pytest.fixture
def scene(tmp_path):
    with ChaosServer(tmp_path / "server") as server, Proxy(server.connection) as proxy:
        yield Scene(server, proxy)


@pytest.fixture
def client(scene):
    with ChaosClient(scene.proxy.connection) as client:
        yield client


def fault(name):
    return next(fault for fault in FAULTS if fault.name == name)


def test_the_same_job_gives_the_same_digest_and_another_another(client):
    first, second = (Job(client, animation(0)).run(PATIENCE) for _ in range(2))
    assert isinstance(first.ending, Done)
    assert first.ending.texture_count == FRAME_COUNTS[0]
    assert (first.complaints, first.twice) == ((), 0)
    assert first.digest == second.digest
    others = {Job(client, animation(variant)).run(PATIENCE).digest for variant in range(1, VARIANT_COUNT)}
    assert len(others | {first.digest}) == VARIANT_COUNT


def test_failures_adaptations_and_cancels_end_as_they_should(client):
    failed = Job(client, animation(0, seed=BAD_SOUND)).run(PATIENCE).ending
    assert failed.code is ErrorCode.BAD_SOUND
    assert Job(client, animation(0, seed=NO_MEMORY)).run(PATIENCE).ending.code is ErrorCode.OUT_OF_MEMORY
    assert isinstance(Job(client, adaptation(0)).run(PATIENCE).ending, Done)
    request = animation(0, frame_count=4000)  # so many that it is not done before it is cancelled

    def cancel():
        client.send(Cancel(job=request.job))

    result = Job(client, request).run(PATIENCE, when=lambda job: job.texture_count > 0, disturb=cancel)
    assert isinstance(result.ending, Cancelled)


def test_a_worker_that_dies_and_a_line_that_is_cut_do_not_confuse_the_client(scene, client):
    undisturbed = Job(client, animation(2)).run(PATIENCE)
    random = np.random.default_rng(0)
    worker = scene.server.worker()
    result = Job(client, animation(2)).run(
        PATIENCE,
        when=lambda job: job.texture_count > 0,
        disturb=lambda: fault("worker killed").inject(scene, random),
    )
    assert not is_alive(worker)
    assert result.digest == undisturbed.digest
    assert result.starts == 2
    result = Job(client, animation(2)).run(PATIENCE, when=lambda job: job.texture_count > 0, disturb=scene.proxy.cut)
    assert (result.digest, result.twice) == (undisturbed.digest, 0)


def test_a_killed_server_is_found_again_and_nothing_is_left_over(scene, client):
    undisturbed = Job(client, animation(1)).run(PATIENCE)
    pid, worker = scene.server.pid, scene.server.worker()
    result = Job(client, animation(1)).run(
        PATIENCE,
        when=lambda job: job.texture_count > 0,
        disturb=lambda: fault("server killed").inject(scene, np.random.default_rng(0)),
    )
    assert scene.server.pid != pid
    assert result.digest == undisturbed.digest
    assert not is_alive(worker)
    assert scene.server.terminate()
    assert scene.server.left_over == 0


def test_a_worker_that_outlives_its_server_is_counted_and_ended(scene, client, monkeypatch):
    monkeypatch.setattr(server_module, "END_SECONDS", 1.0)
    assert client.connect(PATIENCE)
    assert wait_until(lambda: scene.server.worker() is not None, PATIENCE)
    worker = scene.server.worker()
    os.kill(worker.pid, signal.SIGSTOP)  # it cannot notice the end of its server
    scene.server.kill()
    assert scene.server.left_over == 1
    assert wait_until(lambda: not is_alive(worker), PATIENCE)


def test_results_that_come_again_are_counted(client, monkeypatch):
    job = Job(client, animation(0))
    poll = client.poll

    def twice(seconds):
        messages = poll(seconds)
        return [m for message in messages for m in [message] * (1 + isinstance(message, TextureFrames))]

    monkeypatch.setattr(client, "poll", twice)
    assert job.run(PATIENCE).twice == 3  # of 40 frames, 16 in a message


def test_a_result_that_was_changed_gives_another_digest(client, monkeypatch):
    undisturbed = Job(client, animation(0)).run(PATIENCE)
    poll = client.poll

    def changed(seconds):
        return [
            msgspec.structs.replace(m, frames=m.frames ^ 1) if isinstance(m, TextureFrames) else m
            for m in poll(seconds)
        ]

    monkeypatch.setattr(client, "poll", changed)
    assert Job(client, animation(0)).run(PATIENCE).digest != undisturbed.digest


def test_orders_are_obeyed(scene, client):
    assert client.connect(PATIENCE)
    assert scene.server.order(Order(clock_seconds=8 * 24 * 3600.0))
    assert scene.server.order(Order(is_disk_full=False))
    scene.server.kill()
    assert not scene.server.order(Order(clock_seconds=0.0))


def test_half_open_connections_and_limits_are_taken_back(scene, client):
    assert client.connect(PATIENCE)
    process = psutil.Process(scene.server.pid)
    before = [process.rlimit(limit) for limit in (psutil.RLIMIT_NOFILE, psutil.RLIMIT_FSIZE)]
    random = np.random.default_rng(0)
    fault("writing forbidden").inject(scene, random)
    assert process.rlimit(psutil.RLIMIT_FSIZE) != before[1]
    scene.heal()
    assert [process.rlimit(limit) for limit in (psutil.RLIMIT_NOFILE, psutil.RLIMIT_FSIZE)] == before
