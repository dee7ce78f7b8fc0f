import numpy as np

from shared import protocol
from shared.errors import ErrorCode

PAUSE_IN_TEXTURE, WAIT, FAST = 8, 9, 0
FACE = (np.zeros((4, 4, 3), np.uint8),)


def test_a_killed_service_resumes_its_queue_and_loses_no_frame(new_service, animate):
    service = new_service()
    client = service.client()
    running = client.send(animate(frames=70, seed=PAUSE_IN_TEXTURE, references=FACE))
    queued = client.send(animate())
    got = client.until(protocol.TextureFrames, job=running.job)
    got += client.until(protocol.TextureFrames, job=running.job)
    received = max(m.sequence for m in got)
    assert received == 3  # curves and two runs of frames; the third waits for the test
    service.kill()

    service.go()
    service.start()
    again = service.client()
    again.send(protocol.Attach(job=running.job, received=received))
    rest = [m for m in again.finish(running.job) if m.sequence]
    assert [m.sequence for m in rest] == [4, 5, 6, 7]
    frames = np.concatenate([m.frames for m in rest[:-1]])[:, 0, 0, 0]
    assert frames.tolist() == list(range(32, 70))
    assert rest[-1].texture_count == 70

    again.send(protocol.Attach(job=running.job))
    everything = again.finish(running.job)
    frames = np.concatenate([m.frames for m in everything if isinstance(m, protocol.TextureFrames)])[:, 0, 0, 0]
    assert frames.tolist() == list(range(70))
    again.send(protocol.Attach(job=queued.job))
    assert isinstance(again.finish(queued.job)[-1], protocol.Done)


def test_who_asks_for_more_than_a_job_has_is_answered(new_service, animate):
    service = new_service()
    client, other = service.client(), service.client()
    done = client.finish(client.send(animate()).job)[-1]
    for received in (done.sequence, done.sequence + 5):  # it has everything, and more than there was
        asked = client.send(protocol.Attach(job=done.job, received=received))
        failed = client.receive()
        assert isinstance(failed, protocol.Failed)
        assert (failed.code, failed.parent, failed.job) == (ErrorCode.BAD_VALUE, asked.id, done.job)
        assert (failed.sequence, f"after result {received} nothing is left" in failed.sentence) == (0, True)
    client.send(protocol.Attach(job=done.job, received=done.sequence - 1))
    assert client.receive().sequence == done.sequence

    running = client.send(animate(seed=WAIT))
    client.until(protocol.Progress, job=running.job)
    asked = other.send(protocol.Attach(job=running.job, received=9))
    other.until(protocol.Progress, job=running.job)
    client.send(protocol.Cancel(job=running.job))
    assert isinstance(client.finish(running.job)[-1], protocol.Cancelled)
    assert other.finish(running.job)[-1].parent == asked.id


def test_a_worker_that_cannot_load_fails_the_job_with_its_sentence(new_service, animate):
    for device, code, sentence in (
        ("missing", ErrorCode.BAD_SOUND, "cannot read the weights file"),
        ("dies", ErrorCode.WORKER_DIED, "died while it was loading (it was ended by SIGKILL)"),
    ):
        client = new_service(device=device).client()
        for request in [client.send(animate()) for _ in range(2)]:
            failed = client.finish(request.job)[-1]
            assert failed.code is code
            assert sentence in failed.sentence


def test_no_free_disk_is_said_before_the_work(new_service, animate):
    client = new_service(spare_bytes=2**62).client()
    request = client.send(animate())
    failed = client.finish(request.job)[-1]
    assert failed.code is ErrorCode.NO_SPACE
    assert "free some space" in failed.sentence
    assert client.welcome.spool_free_bytes == 0


def test_a_silent_client_is_forgotten_and_may_come_back(new_service):
    service = new_service(silent_seconds=0.5)
    client = service.client()

    def is_forgotten():
        while client.socket.poll(2500):  # until the heartbeat stops
            client.socket.recv_multipart()
        client.send(protocol.Ping())
        answer = client.receive()
        return isinstance(answer, protocol.Failed) and answer.code is ErrorCode.UNKNOWN_CLIENT

    service.wait_for(is_forgotten)
    client.send(protocol.Hello())
    assert isinstance(client.receive(), protocol.Welcome)
