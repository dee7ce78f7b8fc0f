import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_server.service import spool
from backend_server.service.store import JobRecord, JobState, JobStore
from shared.errors import MessageError, NoSpaceError, SpeechFaceError


@pytest.fixture
def store(tmp_path):
    store = JobStore(tmp_path / "jobs")
    yield store
    store.close()


def test_a_job_from_the_queue_to_its_end(store):
    store.add("a", [b"request"], 0)
    store.add("b", [b"other"], 0)
    assert store.queue() == ["a", "b"]
    store.begin("a")
    assert store.queue() == ["b"]
    store.append("a", 1, [b"one", b""])
    store.append("a", 2, [b"two"], is_last=True)
    assert store.find("a") == JobRecord("a", JobState.ENDED, attempts=1, results=2)
    assert store.request("a") == [b"request"]
    assert [store.result("a", n) for n in (1, 2)] == [[b"one", b""], [b"two"]]
    assert store.find("c") is None
    with pytest.raises(MessageError):
        store.result("a", 3)


def test_a_job_that_is_put_back_keeps_its_place(store):
    for job in "abc":
        store.add(job, [b""], 0)
    store.begin("a")
    store.put_back("a")
    assert store.queue() == ["a", "b", "c"]


def test_jobs_survive_and_running_ones_are_queued_again(tmp_path):
    first = JobStore(tmp_path)
    first.add("a", [b"request"], 0)
    first.begin("a")
    first.append("a", 1, [b"one"])
    with pytest.raises(SpeechFaceError, match="another backend uses the data folder"):
        JobStore(tmp_path)
    first.close()
    second = JobStore(tmp_path)
    assert second.find("a") == JobRecord("a", JobState.QUEUED, attempts=1, results=1)
    assert second.result("a", 1) == [b"one"]
    second.close()


def test_folders_without_a_job_are_removed(tmp_path):
    (tmp_path / "job_lost").mkdir()
    JobStore(tmp_path).close()
    assert not (tmp_path / "job_lost").exists()


def test_only_ended_jobs_are_purged(store, tmp_path):
    for job in "abc":
        store.add(job, [b""], 0)
    store.append("b", 1, [b"end"], is_last=True)
    store.purge(3600)
    assert store.find("b") is not None
    store.purge(0)
    assert store.find("b") is None
    assert store.queue() == ["a", "c"]
    assert sorted(p.name for p in (tmp_path / "jobs").iterdir() if p.is_dir()) == ["job_a", "job_c"]


def test_a_damaged_queue_file_is_named(tmp_path):
    (tmp_path / "queue.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(SpeechFaceError, match="is damaged"):
        JobStore(tmp_path)


def test_ended_jobs_make_room_before_a_new_one_is_refused(tmp_path):
    free = {"bytes": 2000}
    store = JobStore(tmp_path, spare_bytes=500, measure=lambda _: free["bytes"])
    assert store.free_bytes() == 1500
    store.add("a", [b"x"], 1000)
    store.append("a", 1, [b"end"], is_last=True)
    with pytest.raises(NoSpaceError, match="has 0 MB left and this needs 0 MB"):
        store.add("b", [b"x"], 1500)
    assert store.find("a") is None  # given up for the room
    assert store.find("b") is None
    store.close()


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    class Full:
        def __getattr__(self, name):
            raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(spool, "struct", Full())
    with pytest.raises(NoSpaceError, match="is full"):
        spool.write_message(tmp_path / "m", [b"x"])
    assert list(tmp_path.iterdir()) == []


@given(parts=st.lists(st.binary(max_size=100), max_size=8), cut=st.integers(1, 50))
def test_messages_on_disk(tmp_path_factory, parts, cut):
    path = tmp_path_factory.getbasetemp() / "message"
    spool.write_message(path, parts)
    assert spool.read_message(path) == parts
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(MessageError):
        spool.read_message(path)
