import time

import pytest

from backend_server.service.storage.job_index import StoreLimits
from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError


def folder_names(tmp_path):
    return {path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()}


def test_delivered_results_stay_for_a_time_and_undelivered_ones_longer(open_store, clock, tmp_path):
    limits = StoreLimits(keep_seconds=100, keep_undelivered_seconds=1000)
    store = open_store(limits, now=clock)
    for job in ("waits", "delivered", "lost"):
        store.add_now(job)
    store.end_now("delivered")
    store.end_now("lost")
    store.note_delivered("delivered")
    clock.seconds = 99
    store.do_upkeep()
    assert store.find("delivered") is not None
    clock.seconds = 101
    store.do_upkeep()
    assert store.find("delivered") is None
    assert store.find("lost") is not None
    store.settle()
    assert len(folder_names(tmp_path)) == 2
    clock.seconds = 1001
    store.do_upkeep()
    assert store.find("lost") is None
    assert store.queue() == ["waits"]


def test_what_is_being_sent_is_never_purged(open_store, clock):
    store = open_store(StoreLimits(keep_seconds=1, keep_undelivered_seconds=1), now=clock)
    attached = {"a"}
    store.is_attached = attached.__contains__
    store.add_now("a")
    store.end_now("a")
    clock.seconds = 10
    store.do_upkeep()
    assert store.result_now("a", 1) == [b"end"]
    attached.clear()
    store.do_upkeep()
    assert store.find("a") is None


def test_a_clock_that_jumps_harms_nothing(open_store, clock, monkeypatch):
    store = open_store(StoreLimits(keep_seconds=3600), now=clock)
    store.add_now("a")
    store.end_now("a")
    store.note_delivered("a")
    for jump in (8 * 86400, -30 * 86400):
        now = time.time() + jump
        monkeypatch.setattr("time.time", lambda now=now: now)
        store.do_upkeep()
        assert store.find("a") is not None
        store = open_store(StoreLimits(keep_seconds=3600), now=clock)
        assert store.result_now("a", 1) == [b"end"]


def test_time_in_which_the_service_ran_counts_over_restarts(open_store, clock, new_clock):
    limits = StoreLimits(keep_seconds=100)
    store = open_store(limits, now=clock)
    store.add_now("a")
    store.end_now("a")
    store.note_delivered("a")
    clock.seconds = 60
    other = new_clock()  # it began anew with the machine
    store = open_store(limits, now=other)
    other.seconds = 30
    store.do_upkeep()
    assert store.find("a") is not None
    other.seconds = 50
    store.do_upkeep()
    assert store.find("a") is None


def test_delivered_results_make_room_and_others_do_not(open_store, clock):
    free = {"bytes": 2000}
    store = open_store(StoreLimits(spare_bytes=500), measure=lambda _: free["bytes"], now=clock)
    assert store.free_bytes() == 1500
    assert store.add_now("a", [b"x" * 100], 1000) is None
    store.end_now("a")
    clock.seconds = 61
    with pytest.raises(NoSpaceError, match="has 0 MB left and this needs 0 MB"):
        store.add_now("b", [b"x" * 100], 1450)
    assert store.find("a") is not None
    store.note_delivered("a")
    with pytest.raises(NoSpaceError):  # delivered just now: the last bytes may be on their way
        store.add_now("b", [b"x" * 100], 1450)
    clock.seconds += 61
    assert store.add_now("b", [b"x" * 100], 1450) is None
    assert store.find("a") is None


def test_the_spool_has_a_limit_and_gives_up_what_was_delivered_first(open_store, clock):
    store = open_store(StoreLimits(spool_bytes=1000), now=clock)
    for second, job in enumerate("abc"):
        store.add_now(job, [b"x" * 300])
        store.end_now(job, b"")
        clock.seconds = second
    for second, job in enumerate("bac"):
        clock.seconds = 10 + second
        store.note_delivered(job)
    clock.seconds = 100
    assert store.usage().used_bytes == 900
    store.add_now("d", [b"x" * 300])
    assert [job for job in "abcd" if store.find(job)] == ["a", "c", "d"]
    with pytest.raises(NoSpaceError, match=r"jobs list --ended` shows .* `jobs forget ID`"):
        store.add_now("e", [b"x"], 1001)

    faults = []
    store.on_fault = lambda job, error: faults.append((job, error.code))
    store.begin("d")
    store.append("d", [b"x" * 2000])
    store.settle()
    assert faults == [("d", ErrorCode.NO_SPACE)]
    assert store.find("d").results == 0


def test_the_queue_has_a_length(open_store):
    store = open_store(StoreLimits(longest_queue=2))
    store.add_now("a")
    store.add_now("b")
    with pytest.raises(SpeechFaceError, match="2 jobs wait already") as caught:
        store.add_now("c")
    assert caught.value.code is ErrorCode.TOO_LARGE
    store.end_now("a")
    assert store.add_now("c") is None
