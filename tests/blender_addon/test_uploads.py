"""Tests that large requests show their progress, let others through, and survive broken connections."""

import time

import numpy as np
import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")


def request(parts, megabytes):
    return parts.job.JobRequest(
        speech=np.full(megabytes * 250_000, 0.1, np.float32),
        sample_rate=16_000,
        frame_times=np.arange(25) / 25,
        wants_texture=False,
    )


def test_a_long_upload_shows_its_megabytes_and_lets_small_messages_through(parts, connect, fake_backend, until):
    fake_backend.is_slow = True
    client = connect()
    job = parts.job.AnimationJob(request(parts, 40), client, list.append)
    until(lambda: job.tick() or job.stage == "sending")
    assert job.steps == 40
    client.send(parts.protocol.Attach(job="another"))
    seen = set()

    def goes_on():
        fake_backend.take_chunk()
        job.tick()
        seen.add((job.step, parts.panels.status_line(job)))
        return job.stage != "sending"

    until(goes_on, 60)
    assert len(seen) > 10
    assert all(line.startswith((f"Sending  {step}/40", "Animating")) for step, line in seen)
    assert job.step < 40
    assert parts.panels.status_line(job).startswith("Animating")
    assert not fake_backend.messages("AnimateRequest")  # the last chunks are still on their way
    assert fake_backend.messages("Attach")
    fake_backend.is_slow = False
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE
    assert len(fake_backend.messages("AnimateRequest")[0].speech) == 10_000_000


def test_a_chunk_that_is_taken_is_a_sign_of_life(parts, connect, fake_backend, until, clock):
    client = connect(clock)
    until(lambda: client.poll() or client.is_ready)
    fake_backend.is_slow = True
    message = parts.protocol.AnimateRequest(
        sample_rate=16_000, speech=np.zeros(20_000_000, np.float32), frame_times=np.arange(3.0)
    )
    client.send(message)

    def sent():
        client.poll()
        return client.upload(message.id)[0]

    before = -1
    while sent() != before:  # until everything between the two is full
        before = sent()
        until(lambda: client.poll() or True)
    for _ in range(8):
        before = sent()
        until(lambda before=before: fake_backend.take_chunk() or sent() > before)
        clock.now += 1.01
        client.poll()
        assert client.is_ready
    for _ in range(5):
        clock.now += 1.01
        client.poll()
    assert not client.is_ready
    assert client.upload(message.id) is None


def test_an_upload_survives_connections_that_break_in_the_middle(parts, connect, fake_backend, until):
    fake_backend.is_slow = True
    client = connect()
    job = parts.job.AnimationJob(request(parts, 40), client, list.append)
    for _ in range(2):
        until(lambda: fake_backend.take_chunk() or job.tick() or (job.stage == "sending" and job.step >= 15), 60)
        client._schedule_reconnect()
        client._next_attempt = 0.0
        job.tick()
        assert job.stage != "sending"
    fake_backend.is_slow = False
    job.run_until_done(timeout=60)
    assert job.error is None
    assert job.state is parts.job.JobState.DONE
    assert len(fake_backend.messages("AnimateRequest")) == 1


def pausing_upload(parts, connect, fake_backend, until, clock):
    """A job whose upload pauses in the middle."""
    fake_backend.is_slow = True
    client = connect(clock)
    job = parts.job.AnimationJob(request(parts, 60), client, list.append)
    until(lambda: job.tick() or job.stage == "sending")
    fake_backend.tell(parts.pause.begin())
    until(lambda: fake_backend.take_chunk() or job.tick() or client.is_upload_paused)
    job.tick()
    fake_backend.is_slow = False
    return job, client


def test_an_upload_pauses_when_the_backend_asks_for_it(parts, connect, fake_backend, until):
    job, client = pausing_upload(parts, connect, fake_backend, until, time.monotonic)
    step = job.step
    assert parts.panels.status_line(job).startswith(f"Waiting for the backend's disk  {step}/60")
    assert job.seconds_left is None
    client.send(parts.protocol.Attach(job="another"))
    until(lambda: job.tick() or fake_backend.messages("Attach"))
    assert (job.step, job.stage) == (step, parts.pause.STAGE)
    assert not fake_backend.messages("AnimateRequest")
    fake_backend.tell(parts.pause.end())
    until(lambda: job.tick() or job.step > step)
    assert job.stage == "sending"
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE


def test_a_pause_that_nobody_ends_is_over_after_a_while(parts, connect, fake_backend, until, clock):
    job, client = pausing_upload(parts, connect, fake_backend, until, clock)
    for _ in range(3):
        clock.now += 0.9
        until(lambda: job.tick() or not client._missed)
    assert client.is_upload_paused
    clock.now += 0.9
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE


def test_a_pause_ends_with_its_connection(parts, connect, fake_backend, until, clock):
    job, client = pausing_upload(parts, connect, fake_backend, until, clock)
    client._schedule_reconnect()
    client._next_attempt = 0.0
    until(lambda: job.tick() or job.stage == "sending")
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE


def test_whoever_waits_for_a_paused_upload_rests(parts, connect, fake_backend, until):
    _, client = pausing_upload(parts, connect, fake_backend, until, time.monotonic)
    until(lambda: client.poll() or not client._small)
    began = time.monotonic()
    client.wait(0.3)
    assert time.monotonic() - began > 0.2


def test_cancel_ends_an_upload(parts, connect, fake_backend, until):
    fake_backend.is_slow = True
    client = connect()
    job = parts.job.AnimationJob(request(parts, 40), client, list.append)
    until(lambda: job.tick() or job.stage == "sending")
    job.cancel()
    job.tick()
    assert job.state is parts.job.JobState.CANCELLED
    fake_backend.is_slow = False
    until(lambda: client.poll() or fake_backend.messages("Cancel"))
    assert not fake_backend.messages("AnimateRequest")


def test_a_tick_that_sends_much_is_short(parts, connect, fake_backend, until):
    job = parts.job.AnimationJob(request(parts, 60), connect(), list.append)
    until(lambda: job.tick() or job.stage == "sending")
    durations = []
    while job.stage == "sending":
        start = time.perf_counter()
        job.tick()
        durations.append(time.perf_counter() - start)
    assert len(durations) > 2
    assert max(durations) < 0.5
