"""The scheduler with a worker that the test plays: what is lost on the way, late, twice, or never comes."""

import msgspec
import numpy as np
import pytest

from backend_server.service.jobs import Scheduler
from backend_server.service.settings import ServiceSettings
from backend_server.service.storage.queue_file import JobState
from shared import protocol, wire
from shared.errors import ErrorCode, SpeechFaceError

FRAMES = 40
WELCOME = protocol.Welcome(backend="worker", device="cpu", weights_version="1")


class PlayedWorker:
    """A worker whose messages the test writes."""

    def __init__(self, number):
        self.pid = number
        self.sent, self.got, self.beat = [WELCOME], [], None
        self.ended_because = None
        self.is_closed = False
        self.takes = True
        self.socket = self

    def poll(self, _milliseconds):
        return bool(self.sent)

    def send(self, parts):
        if self.takes:
            self.got.append(wire.decode(parts))
        return self.takes

    def receive(self):
        if not self.sent:
            return None
        message = self.sent.pop(0)
        return message if isinstance(message, list) else wire.encode(message)

    def beats(self):
        return [self.beat] if self.beat else []

    def death(self):
        return self.ended_because

    def close(self):
        self.is_closed = True


class Play:
    """A scheduler, its store, and its workers one after the other."""

    def __init__(self, store, folder, **settings):
        self.store = store
        self.workers = []
        self.told = []
        settings = ServiceSettings(connection_file=folder / "c.json", data_dir=folder, **settings)
        self.scheduler = Scheduler(store, settings, self.new_worker, lambda job, message: self.told.append(message))

    def new_worker(self):
        self.workers.append(PlayedWorker(len(self.workers) + 1))
        return self.workers[-1]

    @property
    def worker(self):
        return self.workers[-1]

    def turn(self, count=4):
        for _ in range(count):
            self.store.settle()
            self.scheduler.tick()
        self.store.settle()

    def begin(self, request):
        self.scheduler.submit(request.job, wire.encode(request), 0)
        self.turn()
        assert self.store.find(request.job).state is JobState.RUNNING

    def results(self, job):
        record = self.store.find(job)
        assert record.state is JobState.ENDED
        messages = []
        for sequence in range(1, record.results + 1):
            self.store.result(job, sequence)
            self.store.settle()
            messages.append(wire.decode(self.store.result(job, sequence)))
        return messages


@pytest.fixture
def play(store, tmp_path):
    def begin(**settings):
        return Play(store, tmp_path, **settings)

    return begin


@pytest.fixture
def request_(animate):
    return animate(frames=FRAMES, references=(np.zeros((4, 4, 3), np.uint8),))


def curves(job):
    zeros = np.zeros((FRAMES, 68, 2), np.float32)
    return protocol.LandmarkCurves(
        job=job,
        sequence=1,
        landmarks=zeros,
        canonical=zeros,
        frame_times=np.arange(FRAMES) / 25,
        neutral=zeros[0],
        crop=np.eye(2, 3, dtype=np.float32),
    )


def results_of(job):
    frames = [np.full((count, 2, 2, 4), 1, np.uint8) for count in (16, 16, 8)]
    textures = [
        protocol.TextureFrames(job=job, sequence=2 + n, first_frame=16 * n, frames=f) for n, f in enumerate(frames)
    ]
    return [curves(job), *textures, protocol.Done(job=job, frame_count=FRAMES, texture_count=FRAMES)]


def test_a_job_whose_results_all_arrive_is_done(play, request_):
    scene = play()
    scene.begin(request_)
    scene.worker.sent += results_of(request_.job)
    scene.turn()
    assert [type(m).__name__ for m in scene.results(request_.job)] == [
        *("LandmarkCurves", "TextureFrames", "TextureFrames", "TextureFrames", "Done")
    ]
    assert len(scene.workers) == 1


def test_an_answer_that_was_not_stored_before_the_service_was_killed_is_made_by_the_worker(play, monkeypatch, adapt):
    scene, request = play(), adapt()
    neutral, crop = np.zeros((68, 2), np.float32), np.eye(2, 3, dtype=np.float32)
    adapted = protocol.Adapted(identity="0" * 64, is_cached=True, neutral=neutral, crop=crop)
    with monkeypatch.context() as killed:
        killed.setattr(scene.store, "append", lambda *_: None)
        killed.setattr(scene.store, "end", lambda *_: None)
        scene.scheduler.finish(request.job, wire.encode(request), adapted)
        scene.store.settle()
    scene.turn()
    assert [type(message).__name__ for message in scene.worker.got] == ["Attach", "AdaptRequest"]
    scene.worker.sent += [msgspec.structs.replace(adapted, job=request.job, sequence=1), protocol.Done(job=request.job)]
    scene.turn()
    assert [type(message).__name__ for message in scene.results(request.job)] == ["Adapted", "Done"]


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_result_that_is_lost_costs_a_second_try_from_what_is_stored(play, request_, lost):
    scene = play()
    scene.begin(request_)
    sent = results_of(request_.job)
    scene.worker.sent += sent[:lost] + sent[lost + 1 :]
    scene.turn()
    assert [worker.is_closed for worker in scene.workers] == [True, False]
    attach, again = scene.worker.got
    assert (attach.received, again.job) == (lost, request_.job)
    scene.worker.sent += sent[lost:]
    scene.turn()
    ended = scene.results(request_.job)
    assert [m.sequence for m in ended] == [1, 2, 3, 4, 5]
    assert isinstance(ended[-1], protocol.Done)


@pytest.mark.parametrize("lost", [1, 2])
def test_the_curves_of_a_rig_are_expected_where_they_were_asked_for(play, animate, lost):
    request = animate(frames=FRAMES, rig="oculus", references=(np.zeros((4, 4, 3), np.uint8),))
    scene = play()
    scene.begin(request)
    first, *rest = results_of(request.job)
    rig = protocol.RigCurves(job=request.job, sequence=2, names=("aa",), weights=np.zeros((FRAMES, 1), np.float32))
    moved = [msgspec.structs.replace(m, sequence=m.sequence and m.sequence + 1) for m in rest]
    sent = [first, rig, *moved]
    scene.worker.sent += sent[:lost] + sent[lost + 1 :]
    scene.turn()
    assert scene.worker.got[0].received == lost
    scene.worker.sent += sent[lost:]
    scene.turn()
    ended = scene.results(request.job)
    assert [type(m).__name__ for m in ended][:3] == ["LandmarkCurves", "RigCurves", "TextureFrames"]
    assert isinstance(ended[-1], protocol.Done)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_words_are_expected_where_they_were_asked_for(play, animate, lost):
    images = (np.zeros((4, 4, 3), np.uint8),)
    request = animate(frames=FRAMES, rig="oculus", wants_speech=True, references=images)
    scene = play()
    scene.begin(request)
    first, *rest = results_of(request.job)
    rig = protocol.RigCurves(job=request.job, sequence=2, names=("aa",), weights=np.zeros((FRAMES, 1), np.float32))
    words = protocol.SpokenWords(job=request.job, sequence=3)
    moved = [msgspec.structs.replace(m, sequence=m.sequence and m.sequence + 2) for m in rest]
    sent = [first, rig, words, *moved]
    scene.worker.sent += sent[:lost] + sent[lost + 1 :]
    scene.turn()
    assert scene.worker.got[0].received == lost
    scene.worker.sent += sent[lost:]
    scene.turn()
    ended = scene.results(request.job)
    assert [type(m).__name__ for m in ended][:4] == ["LandmarkCurves", "RigCurves", "SpokenWords", "TextureFrames"]
    assert isinstance(ended[-1], protocol.Done)


def test_a_job_that_loses_results_again_fails_with_the_reason(play, request_):
    scene = play()
    scene.begin(request_)
    for _ in range(2):
        scene.worker.sent += results_of(request_.job)[:2] + results_of(request_.job)[4:]
        scene.turn()
    failed = scene.results(request_.job)[-1]
    assert failed.code is ErrorCode.WORKER_DIED
    assert "2 of 4 results arrived" in failed.sentence


@pytest.mark.parametrize(
    "changes", [{"frame_count": FRAMES - 1}, {"texture_count": FRAMES - 1}, {"texture_count": 0}, {"frame_count": 0}]
)
def test_an_end_that_names_too_few_frames_is_no_success(play, request_, changes):
    scene = play(worker_attempts=1)
    scene.begin(request_)
    *sent, _ = results_of(request_.job)
    counts = {"frame_count": FRAMES, "texture_count": FRAMES, **changes}
    scene.worker.sent += [*sent, protocol.Done(job=request_.job, **counts)]
    scene.turn()
    assert isinstance(scene.results(request_.job)[-1], protocol.Failed)


def test_a_damaged_message_costs_a_second_try(play, request_):
    scene = play()
    scene.begin(request_)
    parts = [bytes(part) for part in wire.encode(results_of(request_.job)[-1])]
    scene.worker.sent += [*results_of(request_.job)[:-1], [parts[0], parts[1], parts[2][:-1] + b"x"]]
    scene.turn()
    assert len(scene.workers) == 2
    assert scene.worker.got[0].received == 4


def test_a_result_that_comes_twice_is_kept_once(play, request_):
    scene = play()
    scene.begin(request_)
    first, *rest = results_of(request_.job)
    scene.worker.sent += [first, first, *rest]
    scene.turn()
    assert [m.sequence for m in scene.results(request_.job)] == [1, 2, 3, 4, 5]


def test_a_worker_that_dies_with_results_on_the_way_loses_none(play, request_):
    scene = play()
    scene.begin(request_)
    scene.worker.sent += results_of(request_.job)[:3]
    scene.worker.ended_because = "it was ended by SIGKILL"
    scene.turn()
    assert scene.worker.got[0].received == 3


def test_a_worker_that_dies_while_it_loads_gets_a_second_try(play, request_):
    scene = play()
    scene.worker.sent.clear()
    scene.scheduler.submit(request_.job, wire.encode(request_), 0)
    scene.worker.ended_because = "it was ended by SIGKILL"
    scene.turn()
    assert len(scene.workers) == 2
    scene.turn()
    assert scene.store.find(request_.job).state is JobState.RUNNING


def test_a_worker_that_takes_no_job_is_replaced(play, request_):
    scene = play(lost_seconds=0.0)
    scene.worker.takes = False
    scene.scheduler.submit(request_.job, wire.encode(request_), 0)
    scene.turn()
    assert scene.workers[0].is_closed
    scene.turn()
    assert scene.store.find(request_.job).state is JobState.RUNNING


def test_a_worker_that_ran_out_of_memory_is_replaced_after_its_job(play, request_):
    scene = play()
    scene.begin(request_)
    scene.worker.sent.append(protocol.Failed(job=request_.job, code=ErrorCode.OUT_OF_MEMORY, sentence="no memory"))
    scene.turn()
    assert scene.results(request_.job)[-1].code is ErrorCode.OUT_OF_MEMORY
    assert [worker.is_closed for worker in scene.workers] == [True, False]


def test_a_result_that_the_disk_does_not_take_fails_the_job(play, request_, monkeypatch):
    scene = play()
    scene.begin(request_)

    def refuse(*_):
        raise SpeechFaceError("the disk is full", code=ErrorCode.NO_SPACE)

    with monkeypatch.context() as patch:
        patch.setattr("backend_server.service.storage.job_files.write_message", refuse)
        scene.worker.sent += results_of(request_.job)[:1]
        scene.scheduler.tick()
        scene.store.settle()  # the result is refused, and then the end of the job too
        scene.store.settle()
    assert scene.store.find(request_.job).state is JobState.ENDED
    assert wire.decode(scene.store.result(request_.job, 1)).code is ErrorCode.NO_SPACE
    assert isinstance(scene.worker.got[-1], protocol.Cancel)


def test_whatever_the_scheduler_meets_costs_the_running_job_alone(play, request_, animate, monkeypatch):
    scene = play()
    scene.begin(request_)
    with monkeypatch.context() as patch:
        patch.setattr(scene.scheduler, "_take", lambda parts: 1 / 0)
        scene.worker.sent += results_of(request_.job)[:1]
        scene.turn(1)
    assert "ZeroDivisionError" in scene.results(request_.job)[-1].sentence
    second = animate()
    scene.begin(second)


def test_a_worker_that_cannot_be_started_fails_the_job_after_some_tries(store, tmp_path, request_, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("backend_server.service.work.seat.time.monotonic", lambda: now[0])
    tries = []

    class NoProcess(Play):
        def new_worker(self):
            tries.append(now[0])
            raise OSError(12, "Cannot allocate memory")

    scene = NoProcess(store, tmp_path)
    scene.scheduler.submit(request_.job, wire.encode(request_), 0)
    for second in range(20):
        now[0] = float(second)
        scene.turn(1)
    assert len(tries) >= 4
    assert "cannot be started" in scene.results(request_.job)[-1].sentence
