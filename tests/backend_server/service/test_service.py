import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from shared import protocol, wire
from shared.errors import ErrorCode

FAST, SLOW, STUCK, DIE, DIE_ONCE, BROKEN, BAD_SOUND, NO_MEMORY, PAUSE_IN_TEXTURE, WAIT = range(10)
CANCEL_SECONDS = 0.5


def test_welcome_says_what_the_backend_has(service):
    client = service.client()
    welcome = client.welcome
    assert isinstance(welcome, protocol.Welcome)
    assert welcome.device in ("auto", "cpu")  # the second once the worker has loaded
    assert welcome.limits.image_count == 20
    assert welcome.spool_free_bytes > 0
    ping = client.send(protocol.Ping())
    pong = client.receive()
    assert isinstance(pong, protocol.Pong)
    assert pong.parent == ping.id


def test_it_shows_that_it_lives_without_being_asked(service):
    client = service.client()
    assert client.socket.poll(10_000)
    beat = wire.decode(client.socket.recv_multipart())
    assert isinstance(beat, protocol.Pong)
    assert beat.parent == ""


def test_landmarks_of_the_mean_face(service, animate):
    client = service.client()
    request = client.send(animate(frames=5, intensity=2.0, lead=0.1))
    messages = client.finish(request.job)
    assert isinstance(messages[0], protocol.Accepted)
    assert {m.stage for m in messages if isinstance(m, protocol.Progress)} >= {"speech", "motion"}
    curves = next(m for m in messages if isinstance(m, protocol.LandmarkCurves))
    assert curves.landmarks[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(curves.canonical, 2 * curves.landmarks + 0.1)
    np.testing.assert_array_equal(curves.frame_times, request.frame_times)
    done = messages[-1]
    assert isinstance(done, protocol.Done)
    assert (done.frame_count, done.texture_count, done.sequence) == (5, 0, 2)
    assert "speech" in done.seconds


def test_adapt_once_then_animate_with_texture(service, adapt, animate):
    client = service.client()
    request = client.send(adapt(count=3))
    adapted = client.finish(request.job)[-2]
    assert isinstance(adapted, protocol.Adapted)
    assert not adapted.is_cached
    assert adapted.losses == (1.0, 0.5)
    assert adapted.held_out_psnr == 30.0

    waits = client.send(animate(seed=SLOW))  # the worker is busy; what is known is answered all the same
    client.until(protocol.Progress, job=waits.job)
    again = client.send(adapt(count=3))
    cached = client.finish(again.job)[-2]
    assert cached.is_cached
    assert cached.identity == adapted.identity
    np.testing.assert_array_equal(cached.neutral, adapted.neutral)
    client.send(protocol.Cancel(job=waits.job))
    client.finish(waits.job)

    spoken = client.send(animate(frames=20, identity=adapted.identity))
    messages = client.finish(spoken.job)
    frames = np.concatenate([m.frames for m in messages if isinstance(m, protocol.TextureFrames)])
    assert frames.shape == (20, 64, 64, 4)
    assert frames[:, 9, 9, 0].tolist() == list(range(20))
    assert [m.first_frame for m in messages if isinstance(m, protocol.TextureFrames)] == [0, 16]
    assert messages[-1].texture_count == 20
    curves = next(m for m in messages if isinstance(m, protocol.LandmarkCurves))
    np.testing.assert_array_equal(curves.neutral, adapted.neutral)


def test_reference_images_are_used_without_adapting(service, animate):
    client = service.client()
    request = client.send(animate(references=(np.zeros((4, 5, 3), np.uint8),)))
    assert client.finish(request.job)[-1].texture_count == 3


def test_notes_come_with_the_end_of_the_job(service, animate):
    client = service.client()
    ends = [client.finish(client.send(animate(seed=seed)).job)[-1] for seed in (0, 10)]
    assert [[note.code for note in end.notes] for end in ends] == [[], ["no_speech"]]
    with_face = animate(references=(np.zeros((4, 5, 3), np.uint8),), seed=10)
    end = client.finish(client.send(with_face).job)[-1]
    assert [note.code for note in end.notes] == ["no_speech", "lips_elsewhere"]


def test_large_requests_are_read_beside_the_loop(service, adapt):
    client = service.client()
    images = (np.zeros((800, 600, 3), np.uint8),) * 2
    request = client.send(adapt(images=images, epochs=0))
    ping = client.send(protocol.Ping())
    seen = client.finish(request.job)
    assert isinstance(seen[-1], protocol.Done)
    assert ping.id not in [m.parent for m in seen]
    without_id = client.send(adapt(images=images, epochs=0, job=""))
    accepted = client.until(protocol.Accepted)[-1]
    assert len(accepted.job) == 32
    assert without_id.job == ""
    assert client.finish(accepted.job)[-2].is_cached


@pytest.mark.parametrize(
    ("seed", "code", "sentence"),
    [
        (BROKEN, ErrorCode.INTERNAL, "what nobody thought of"),
        (BAD_SOUND, ErrorCode.BAD_SOUND, "choose another strip"),
        (NO_MEMORY, ErrorCode.OUT_OF_MEMORY, "ran out of memory"),
    ],
)
def test_failures_are_said_in_one_sentence(service, animate, seed, code, sentence):
    client = service.client()
    request = client.send(animate(seed=seed))
    failed = client.finish(request.job)[-1]
    assert failed.code is code
    assert sentence in failed.sentence
    assert "Traceback" in failed.detail
    assert "Traceback" not in failed.sentence


def test_an_unknown_identity_and_an_unknown_job_are_named(service, animate):
    client = service.client()
    request = client.send(animate(identity="ab" * 32))
    assert client.finish(request.job)[-1].code is ErrorCode.UNKNOWN_IDENTITY
    for message in (protocol.Cancel(job="nobody"), protocol.Attach(job="nobody"), protocol.Attach()):
        client.send(message)
        failed = client.until(protocol.Failed)[-1]
        assert failed.code is ErrorCode.UNKNOWN_JOB
        assert failed.parent == message.id


def test_two_jobs_wait_their_turn(service, animate):
    client, other, patient = service.client(), service.client(), service.client()
    (service.fake_dir / "go").unlink(missing_ok=True)
    first = client.send(animate(seed=WAIT))
    client.until(protocol.Progress, job=first.job)
    second = other.send(animate())
    assert other.until(protocol.Accepted, job=second.job)[-1].position == 1
    third = patient.send(animate())
    assert patient.until(protocol.Accepted, job=third.job)[-1].position == 2
    service.go()
    assert isinstance(client.finish(first.job)[-1], protocol.Done)
    assert isinstance(other.finish(second.job)[-1], protocol.Done)
    waited = patient.finish(third.job)
    assert isinstance(waited[-1], protocol.Done)
    positions = [m.position for m in waited if isinstance(m, protocol.Accepted)]
    assert positions == sorted(positions, reverse=True)
    assert positions[-1] == 0


def time_to_cancel(client, job):
    began = time.monotonic()
    client.send(protocol.Cancel(job=job))
    assert isinstance(client.finish(job)[-1], protocol.Cancelled)
    return time.monotonic() - began


def test_cancel_of_queued_running_and_stuck_jobs_in_half_a_second(service, animate):
    client = service.client()
    running, queued = client.send(animate(seed=SLOW)), client.send(animate())
    client.until(protocol.Progress, job=running.job)
    assert time_to_cancel(client, queued.job) < CANCEL_SECONDS
    assert time_to_cancel(client, running.job) < CANCEL_SECONDS

    stuck = client.send(animate(seed=STUCK))
    client.until(protocol.Progress, job=stuck.job)
    assert time_to_cancel(client, stuck.job) < CANCEL_SECONDS
    after = client.send(animate())  # the worker that does not let go is replaced
    assert isinstance(client.finish(after.job)[-1], protocol.Done)

    client.send(protocol.Cancel(job=after.job))  # ended already: its end is said again
    assert isinstance(client.finish(after.job)[-1], protocol.Done)


def test_a_worker_that_is_killed_costs_at_most_its_job(service, animate):
    client = service.client()
    once, always, after = (client.send(animate(seed=seed)) for seed in (DIE_ONCE, DIE, FAST))
    assert isinstance(client.finish(once.job)[-1], protocol.Done)
    failed = client.finish(always.job)[-1]
    assert failed.code is ErrorCode.WORKER_DIED
    assert "SIGKILL" in failed.sentence
    assert isinstance(client.finish(after.job)[-1], protocol.Done)


def test_a_second_client_attaches_and_gets_everything_again(service, animate):
    client = service.client()
    request = client.send(animate(frames=20, references=(np.zeros((4, 4, 3), np.uint8),)))
    first = [m for m in client.finish(request.job) if m.sequence]
    client.close()
    service.clients.remove(client)
    other = service.client()
    other.send(protocol.Attach(job=request.job))
    again = other.finish(request.job)
    assert [m.id for m in again] == [m.id for m in first]
    assert [m.sequence for m in again] == [1, 2, 3, 4]
    other.send(protocol.Attach(job=request.job, received=2))
    assert [m.sequence for m in other.finish(request.job)] == [3, 4]
    other.send(request)  # the same request again is the same job
    assert [m.id for m in other.finish(request.job)] == [m.id for m in first]


def test_a_slow_client_gets_everything_in_the_end(service, animate):
    client = service.client()
    request = client.send(animate(frames=1000, references=(np.zeros((4, 4, 3), np.uint8),)))
    other = service.client()
    other.send(protocol.Attach(job=request.job))
    other.until(protocol.Done, job=request.job)  # the first client has read nothing so far
    frames = [m.first_frame for m in client.finish(request.job) if isinstance(m, protocol.TextureFrames)]
    assert frames == list(range(0, 1000, 16))


def test_a_message_that_only_the_backend_sends_is_unsupported(service):
    client = service.client()
    client.send(protocol.Done())
    assert client.receive().code is ErrorCode.UNSUPPORTED
    stranger = service.client(says_hello=False)
    stranger.send(protocol.Ping())
    assert stranger.receive().code is ErrorCode.UNKNOWN_CLIENT


def test_the_client_on_the_protocol_page_works(service):
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "SPEECH_FACE_CONNECTION_FILE": str(service.connection_file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.splitlines()[:2] == ["cpu", "(25, 68, 2)"]
    assert "Done" in result.stdout
