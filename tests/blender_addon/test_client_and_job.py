"""Tests that a job survives silent backends, lost messages, restarts and cancels, and never waits in between."""

import time

import numpy as np
import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")


def request(parts, frames=25, images=1, texture=True):
    return parts.job.JobRequest(
        speech=np.full(16_000, 0.1, np.float32),
        sample_rate=16_000,
        frame_times=np.arange(frames) / 25,
        images=(np.zeros((8, 9, 3), np.uint8),) * images,
        epochs=3,
        seed=5,
        wants_blink=False,
        wants_texture=texture,
    )


def test_a_job_brings_curves_and_pictures_in_order(parts, connect, fake_backend):
    pictures = []
    job = parts.job.AnimationJob(request(parts), connect(), lambda frames: pictures.append(np.array(frames)))
    job.run_until_done(timeout=20)
    assert job.error is None
    assert job.state is parts.job.JobState.DONE
    np.testing.assert_array_equal(job.curves.landmarks, fake_backend.landmarks(25))
    np.testing.assert_array_equal(np.concatenate(pictures), fake_backend.frames(25))
    adapt, animate = fake_backend.messages("AdaptRequest")[0], fake_backend.messages("AnimateRequest")[0]
    assert (adapt.epochs, adapt.seed, len(adapt.images)) == (3, 0, 1)
    assert (animate.identity, animate.seed, animate.wants_blink, animate.wants_texture) == ("a" * 64, 5, False, True)


def test_a_backend_at_an_ipv6_address_answers(parts, connect, fake_backend_on_ipv6):
    client = connect(read=lambda: parts.endpoint.read_connection_file(fake_backend_on_ipv6.connection_file))
    job = parts.job.AnimationJob(request(parts, images=0, texture=False), client, list.append)
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE


def test_without_images_the_mean_face_moves(parts, connect, fake_backend):
    job = parts.job.AnimationJob(request(parts, images=0, texture=False), connect(), list.append)
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE
    assert fake_backend.messages("AdaptRequest") == []
    assert fake_backend.messages("AnimateRequest")[0].identity == ""


def test_a_lost_result_is_asked_for_once(parts, connect, fake_backend):
    fake_backend.drops = {3}
    pictures = []
    job = parts.job.AnimationJob(request(parts), connect(), lambda frames: pictures.append(np.array(frames)))
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.DONE
    np.testing.assert_array_equal(np.concatenate(pictures), fake_backend.frames(25))
    assert [message.received for message in fake_backend.messages("Attach")] == [2]


def test_a_result_that_stays_lost_fails_the_job_with_the_reason(parts, connect, fake_backend):
    fake_backend.loses = {3}
    job = parts.job.AnimationJob(request(parts), connect(), lambda frames: None)
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.FAILED
    assert "result 3 of the job is lost: after 3 requests for it" in job.error.sentence
    assert [message.received for message in fake_backend.messages("Attach")] == [2, 2, 2]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("Adapted", "ended without a learnt face"),
        ("LandmarkCurves", "after 25 of 25 pictures (it counts 25) and no of 25 frames of motion"),
        ("TextureFrames", "after 0 of 25 pictures (it counts 25) and 25 of 25 frames of motion"),
    ],
)
def test_an_end_without_all_results_is_no_success(parts, connect, fake_backend, kind, sentence):
    fake_backend.leaves_out = kind
    job = parts.job.AnimationJob(request(parts), connect(), lambda frames: None)
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.FAILED
    assert sentence in job.error.sentence


def test_a_broken_connection_is_taken_up_again(parts, connect, fake_backend, until):
    fake_backend.holds = True
    client = connect()
    job = parts.job.AnimationJob(request(parts), client, list.append)
    until(lambda: job.tick() or job.steps == 10)
    assert parts.panels.status_line(job) == "Waiting for a test  3/10"
    assert parts.panels.time_left(job) == "1 min 15 s left"
    client._schedule_reconnect()
    assert not client.is_ready
    until(lambda: job.tick() or fake_backend.messages("Attach"))
    assert client.is_ready
    assert not job.is_over


def test_a_request_that_never_arrived_is_sent_again(parts, connect, fake_backend, until):
    fake_backend.knows_jobs = False
    client = connect()
    job = parts.job.AnimationJob(request(parts), client, lambda frames: None)
    until(lambda: job.tick() or fake_backend.messages("AdaptRequest"))
    client._schedule_reconnect()
    job.run_until_done(timeout=20)
    assert job.error is None
    assert job.state is parts.job.JobState.DONE


def test_the_backends_own_words_reach_the_user(parts, connect, fake_backend):
    fake_backend.fails_with = "image 1 holds no face; choose a photo that shows one"
    job = parts.job.AnimationJob(request(parts), connect(), list.append)
    job.run_until_done(timeout=20)
    assert job.state is parts.job.JobState.FAILED
    assert job.error.sentence == fake_backend.fails_with
    assert job.error.code is parts.errors.ErrorCode.NO_FACE


def test_cancel_takes_one_tick(parts, connect, fake_backend, until):
    fake_backend.holds = True
    job = parts.job.AnimationJob(request(parts), connect(), list.append)
    until(lambda: job.tick() or job.steps == 10)
    job.cancel()
    job.tick()
    assert job.state is parts.job.JobState.CANCELLED
    until(lambda: fake_backend.messages("Cancel"))


def test_a_cancel_reaches_the_backend_once_the_connection_is_back(parts, connect, fake_backend, until):
    fake_backend.holds = True
    client = connect()
    job = parts.job.AnimationJob(request(parts), client, list.append)
    until(lambda: job.tick() or job.steps == 10)
    client._schedule_reconnect()
    job.cancel()
    job.tick()
    assert job.state is parts.job.JobState.CANCELLED
    assert not client.is_ready
    until(lambda: client.poll() or not client.has_open_cancels)
    assert client.is_ready
    assert [message.job for message in fake_backend.messages("Cancel")] == [
        fake_backend.messages("AdaptRequest")[0].job
    ]
    client._schedule_reconnect()
    until(lambda: client.poll() or len(fake_backend.messages("Hello")) == 3)
    until(lambda: client.poll() or client.is_ready)
    assert len(fake_backend.messages("Cancel")) == 1  # the backend has said that it is over


def test_a_cancel_that_the_backend_never_read_is_sent_again_by_the_next_client(parts, connect, fake_backend, until):
    cancels = set()
    client = connect(cancels=cancels)
    until(lambda: client.poll() or client.is_ready)
    fake_backend.is_mute = True  # and dies before it reads on
    client.cancel("j1")
    until(lambda: fake_backend.messages("Cancel"))
    client.close()
    fake_backend.is_mute = False
    again = connect(cancels=cancels)
    until(lambda: again.poll() or not again.has_open_cancels)
    assert [message.job for message in fake_backend.messages("Cancel")] == ["j1", "j1"]


def test_a_tick_never_waits(parts, connect, fake_backend):
    fake_backend.is_mute = True
    job = parts.job.AnimationJob(request(parts), connect(), list.append)
    durations = []
    for _ in range(200):
        start = time.perf_counter()
        job.tick()
        durations.append(time.perf_counter() - start)
    assert np.median(durations) < 0.005


def test_three_missed_answers_are_a_lost_connection_and_pauses_grow(parts, connect, fake_backend, until, clock):
    client = connect(clock)
    until(lambda: client.poll() or client.is_ready)
    fake_backend.is_mute = True
    for _ in range(3):
        clock.now += 1.01
        client.poll()
        assert client.is_ready
    clock.now += 1.01
    client.poll()
    assert not client.is_ready
    assert client.seconds_unready == 0
    pauses = []
    for _ in range(4):
        start = clock.now
        while client._socket is None:
            clock.now += 0.25
            client.poll()
        pauses.append(clock.now - start)
        while client._socket is not None:
            clock.now += 1.01
            client.poll()
    assert pauses == [1, 2, 4, 8]
    fake_backend.is_mute = False
    clock.now += 8
    until(lambda: client.poll() or client.is_ready)
    assert client.seconds_unready == 0


def test_a_window_that_hung_has_missed_one_answer(parts, connect, until, clock):
    client = connect(clock)
    until(lambda: client.poll() or client.is_ready)
    clock.now += 600
    client.poll()
    assert client.is_ready


def test_patience_with_a_mute_backend_ends_in_a_sentence(parts, connect, fake_backend, clock):
    fake_backend.is_mute = True
    job = parts.job.AnimationJob(request(parts), connect(clock), list.append)
    while not job.is_over:
        clock.now += 1
        job.tick()
    assert job.error.code is parts.errors.ErrorCode.BACKEND_UNREACHABLE
    assert "has not answered for 120 s" in job.error.sentence


def test_a_missing_connection_file_is_waited_for_and_named(parts, connect, tmp_path, clock):
    client = connect(clock, lambda: parts.endpoint.read_connection_file(tmp_path / "none.json"))
    job = parts.job.AnimationJob(request(parts), client, list.append)
    job.tick()
    assert not job.is_over
    clock.now += 121
    job.tick()
    assert "none.json" in job.error.sentence


def test_run_until_done_keeps_its_timeout(parts, connect, fake_backend, until):
    fake_backend.holds = True
    job = parts.job.AnimationJob(request(parts), connect(), list.append)
    job.run_until_done(timeout=0.5)
    assert job.state is parts.job.JobState.FAILED
    assert "longer than 0.5 s" in job.error.sentence
    until(lambda: fake_backend.messages("Cancel"))


def test_a_failure_on_this_side_ends_the_job_on_the_other(parts, connect, fake_backend, until):
    def full(_frames):
        raise parts.errors.NoSpaceError("the disk is full")

    job = parts.job.AnimationJob(request(parts), connect(), full)
    job.run_until_done(timeout=20)
    assert job.error.code is parts.errors.ErrorCode.NO_SPACE
    until(lambda: fake_backend.messages("Cancel"))
