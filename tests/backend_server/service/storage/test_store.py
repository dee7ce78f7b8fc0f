import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.service.storage import spool
from backend_server.service.storage.job_index import JobRecord
from backend_server.service.storage.queue_file import JobState
from backend_server.service.storage.store import JobStore
from shared.errors import MessageError, SpeechFaceError


def folder_names(tmp_path):
    return {path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()}


def test_a_job_from_the_queue_to_its_end(store):
    store.add_now("a")
    store.add_now("b", [b"other"])
    assert store.queue() == ["a", "b"]
    store.begin("a")
    assert store.queue() == ["b"]
    store.append("a", [b"one", b""])
    assert store.find("a").results == 0  # it is not stored yet
    assert store.appended("a") == 1
    store.settle()
    assert store.find("a").results == 1
    store.end_now("a")
    assert store.find("a") == JobRecord("a", JobState.ENDED, attempts=1, results=2)
    assert store.request("a") is None
    store.settle()
    assert store.request("a") == [b"request"]
    assert [store.result_now("a", n) for n in (1, 2)] == [[b"one", b""], [b"end"]]
    assert store.find("c") is None
    assert store.result("a", 3) is None
    store.settle()
    with pytest.raises(MessageError):
        store.result("a", 3)


def test_a_job_is_told_of_when_it_is_stored_and_not_before(store):
    told = []
    store.add("a", [b"x"], 0, told.append)
    assert told == []
    assert store.queue() == []
    assert store.find("a").state is JobState.ARRIVING
    store.settle()
    assert told == [None]
    assert store.queue() == ["a"]


def test_a_job_that_is_put_back_keeps_its_place(store):
    for job in "abc":
        store.add_now(job)
    store.begin("a")
    store.put_back("a")
    assert store.queue() == ["a", "b", "c"]
    assert [store.position(job) for job in "abcd"] == [0, 1, 2, None]


def test_jobs_survive_and_running_ones_are_queued_again(open_store, tmp_path):
    first = open_store()
    first.add_now("a")
    first.begin("a")
    first.append("a", [b"one"])
    first.settle()
    with pytest.raises(SpeechFaceError, match="another backend uses the data folder"):
        JobStore(tmp_path / "jobs")
    second = open_store()
    assert second.find("a") == JobRecord("a", JobState.QUEUED, attempts=1, results=1)
    assert second.result_now("a", 1) == [b"one"]
    assert second.appended("a") == 1


def test_an_end_is_told_once(store):
    store.add_now("a")
    store.end_now("a")
    store.end_now("a", b"another end")
    assert store.find("a").results == 1
    assert store.result_now("a", 1) == [b"end"]


def test_ids_that_differ_only_in_case_have_folders_that_differ(store, tmp_path):
    for job in ("Face", "face"):
        store.add_now(job, [job.encode()])
    names = folder_names(tmp_path)
    assert len({name.lower() for name in names}) == 2
    store.request("Face"), store.request("face")
    store.settle()
    assert (store.request("Face"), store.request("face")) == ([b"Face"], [b"face"])


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=100), max_size=8), cut=st.integers(1, 50))
def test_messages_on_disk(tmp_path_factory, parts, cut):
    path = tmp_path_factory.getbasetemp() / "message"
    spool.write_message(path, parts)
    assert spool.read_message(path) == parts
    assert spool.read_message(path, most=2) == parts[:2]
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(MessageError):
        spool.read_message(path)
