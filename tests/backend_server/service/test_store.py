import errno
import sqlite3
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_server.service import folders, spool
from backend_server.service.job_index import JobRecord, StoreLimits
from backend_server.service.queue_file import JobState, QueueFile
from backend_server.service.store import JobStore
from shared import protocol, wire
from shared.errors import ErrorCode, MessageError, NoSpaceError, SpeechFaceError

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(tmp_path):
    """Opens stores on one folder; the last one is closed after the test."""
    stores = []

    def open_one(limits=None, **options):
        if stores:
            stores[-1].close()
        stores.append(JobStore(tmp_path / "jobs", limits, **options))
        return stores[-1]

    yield open_one
    if stores:
        stores[-1].close()


@pytest.fixture
def store(open_store):
    return open_store()


def add(store, job, request=(b"request",), needed=0):
    """Adds a job and returns why it could not be stored."""
    told = []
    store.add(job, list(request), needed, told.append)
    store.settle()
    return told[0]


def end(store, job, message=b"end"):
    store.end(job, lambda _sequence: [message])
    store.settle()


def result(store, job, sequence):
    assert store.result(job, sequence) is None
    store.settle()
    return store.result(job, sequence)


def folder_names(tmp_path):
    return {path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()}


def test_a_job_from_the_queue_to_its_end(store):
    add(store, "a")
    add(store, "b", [b"other"])
    assert store.queue() == ["a", "b"]
    store.begin("a")
    assert store.queue() == ["b"]
    store.append("a", [b"one", b""])
    assert store.find("a").results == 0  # it is not stored yet
    assert store.appended("a") == 1
    store.settle()
    assert store.find("a").results == 1
    end(store, "a")
    assert store.find("a") == JobRecord("a", JobState.ENDED, attempts=1, results=2)
    assert store.request("a") is None
    store.settle()
    assert store.request("a") == [b"request"]
    assert [result(store, "a", n) for n in (1, 2)] == [[b"one", b""], [b"end"]]
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
        add(store, job)
    store.begin("a")
    store.put_back("a")
    assert store.queue() == ["a", "b", "c"]
    assert [store.position(job) for job in "abcd"] == [0, 1, 2, None]


def test_jobs_survive_and_running_ones_are_queued_again(open_store, tmp_path):
    first = open_store()
    add(first, "a")
    first.begin("a")
    first.append("a", [b"one"])
    first.settle()
    with pytest.raises(SpeechFaceError, match="another backend uses the data folder"):
        JobStore(tmp_path / "jobs")
    second = open_store()
    assert second.find("a") == JobRecord("a", JobState.QUEUED, attempts=1, results=1)
    assert result(second, "a", 1) == [b"one"]
    assert second.appended("a") == 1


def test_an_end_is_told_once(store):
    add(store, "a")
    end(store, "a")
    end(store, "a", b"another end")
    assert store.find("a").results == 1
    assert result(store, "a", 1) == [b"end"]


def test_ids_that_differ_only_in_case_have_folders_that_differ(store, tmp_path):
    for job in ("Face", "face"):
        add(store, job, [job.encode()])
    names = folder_names(tmp_path)
    assert len({name.lower() for name in names}) == 2
    store.request("Face"), store.request("face")
    store.settle()
    assert (store.request("Face"), store.request("face")) == ([b"Face"], [b"face"])


# What is purged, and when


def test_delivered_results_stay_for_a_time_and_undelivered_ones_longer(open_store, clock, tmp_path):
    limits = StoreLimits(keep_seconds=100, keep_undelivered_seconds=1000)
    store = open_store(limits, now=clock)
    for job in ("waits", "delivered", "lost"):
        add(store, job)
    end(store, "delivered")
    end(store, "lost")
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
    add(store, "a")
    end(store, "a")
    clock.seconds = 10
    store.do_upkeep()
    assert result(store, "a", 1) == [b"end"]
    attached.clear()
    store.do_upkeep()
    assert store.find("a") is None


def test_a_clock_that_jumps_harms_nothing(open_store, clock, monkeypatch):
    store = open_store(StoreLimits(keep_seconds=3600), now=clock)
    add(store, "a")
    end(store, "a")
    store.note_delivered("a")
    for jump in (8 * 86400, -30 * 86400):
        now = time.time() + jump
        monkeypatch.setattr("time.time", lambda now=now: now)
        store.do_upkeep()
        assert store.find("a") is not None
        store = open_store(StoreLimits(keep_seconds=3600), now=clock)
        assert result(store, "a", 1) == [b"end"]


def test_time_in_which_the_service_ran_counts_over_restarts(open_store, clock):
    limits = StoreLimits(keep_seconds=100)
    store = open_store(limits, now=clock)
    add(store, "a")
    end(store, "a")
    store.note_delivered("a")
    clock.seconds = 60
    other = Clock()  # it began anew with the machine
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
    assert add(store, "a", [b"x" * 100], 1000) is None
    end(store, "a")
    clock.seconds = 61
    with pytest.raises(NoSpaceError, match="has 0 MB left and this needs 0 MB"):
        add(store, "b", [b"x" * 100], 1450)
    assert store.find("a") is not None
    store.note_delivered("a")
    with pytest.raises(NoSpaceError):  # delivered just now: the last bytes may be on their way
        add(store, "b", [b"x" * 100], 1450)
    clock.seconds += 61
    assert add(store, "b", [b"x" * 100], 1450) is None
    assert store.find("a") is None


def test_the_spool_has_a_limit_and_gives_up_what_was_delivered_first(open_store, clock):
    store = open_store(StoreLimits(spool_bytes=1000), now=clock)
    for second, job in enumerate("abc"):
        add(store, job, [b"x" * 300])
        end(store, job, b"")
        clock.seconds = second
    for second, job in enumerate("bac"):
        clock.seconds = 10 + second
        store.note_delivered(job)
    clock.seconds = 100
    assert store.used_bytes == 900
    add(store, "d", [b"x" * 300])
    assert [job for job in "abcd" if store.find(job)] == ["a", "c", "d"]
    with pytest.raises(NoSpaceError, match="fetch the results of earlier jobs"):
        add(store, "e", [b"x"], 1001)

    faults = []
    store.on_fault = lambda job, error: faults.append((job, error.code))
    store.begin("d")
    store.append("d", [b"x" * 2000])
    store.settle()
    assert faults == [("d", ErrorCode.NO_SPACE)]
    assert store.find("d").results == 0


def test_the_queue_has_a_length(open_store):
    store = open_store(StoreLimits(longest_queue=2))
    add(store, "a")
    add(store, "b")
    with pytest.raises(SpeechFaceError, match="2 jobs wait already") as caught:
        add(store, "c")
    assert caught.value.code is ErrorCode.TOO_LARGE
    end(store, "a")
    assert add(store, "c") is None


# A disk that does not take everything


class Full:
    """A disk that is full from now on; the reserve is what its file takes."""

    def __init__(self, monkeypatch, tmp_path, takes_after_reserve=True):
        self.is_full = True
        self.reserve = tmp_path / "jobs" / "reserve"
        real = spool.struct.pack

        class Pack:
            error = spool.struct.error
            unpack = staticmethod(spool.struct.unpack)

            @staticmethod
            def pack(*values):
                if self.is_full and not (takes_after_reserve and self.had_reserve and not self.reserve.exists()):
                    raise OSError(errno.ENOSPC, "no space left on device")
                return real(*values)

        self.had_reserve = self.reserve.exists()
        monkeypatch.setattr(spool, "struct", Pack)


def test_a_full_disk_fails_the_job_and_its_end_is_stored_in_the_reserve(open_store, tmp_path, monkeypatch):
    store = open_store()
    add(store, "a")
    store.begin("a")
    store.append("a", [b"one"])
    store.do_upkeep()
    store.settle()
    assert (tmp_path / "jobs" / "reserve").stat().st_size == spool.RESERVE_BYTES
    full = Full(monkeypatch, tmp_path)
    faults = []

    def fail(job, error):
        faults.append((job, error.code))
        store.end(job, lambda sequence: [b"failed %d" % sequence])

    store.on_fault = fail
    for part in (b"two", b"three"):
        store.append("a", [part])
    store.end("a", lambda _sequence: [b"done"])  # would pretend success
    store.settle()
    store.settle()
    assert faults == [("a", ErrorCode.NO_SPACE)]
    assert not full.reserve.exists()
    assert store.find("a") == JobRecord("a", JobState.ENDED, attempts=1, results=2)
    assert [result(store, "a", n) for n in (1, 2)] == [[b"one"], [b"failed 2"]]
    full.is_full = False
    again = open_store()
    assert again.find("a").state is JobState.ENDED


def test_an_end_that_no_disk_takes_stays_in_memory_and_is_stored_later(open_store, clock, tmp_path, monkeypatch):
    store = open_store(now=clock)
    add(store, "a")
    full = Full(monkeypatch, tmp_path, takes_after_reserve=False)
    end(store, "a")
    assert store.find("a").state is JobState.ENDED
    assert store.result("a", 1) == [b"end"]
    clock.seconds = 10
    store.do_upkeep()
    store.settle()
    assert store.result("a", 1) == [b"end"]
    full.is_full = False
    clock.seconds = 20
    store.do_upkeep()
    store.settle()
    assert result(store, "a", 1) == [b"end"]  # from the disk
    again = open_store(now=clock)
    assert again.find("a").state is JobState.ENDED


@pytest.mark.parametrize("error", ["database or disk is full", "disk I/O error"])
def test_a_full_disk_that_sqlite_meets_is_named(store, monkeypatch, error):
    def full(*_):
        raise sqlite3.OperationalError(error)

    monkeypatch.setattr(QueueFile, "add", full)
    told = add(store, "a")
    assert told.code is ErrorCode.NO_SPACE
    assert store.find("a") is None
    monkeypatch.undo()
    assert add(store, "a") is None


def test_a_locked_folder_fails_jobs_with_its_name(store, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(spool, "atomic_write", refuse)
    told = add(store, "a")
    assert "make the folder writable" in told.sentence
    monkeypatch.undo()
    assert add(store, "a") is None


def test_a_folder_that_vanishes_is_made_again(open_store, clock, tmp_path):
    store = open_store(now=clock)
    add(store, "a")
    folders.shutil.rmtree(tmp_path / "jobs")
    store.request("a")
    store.settle()
    with pytest.raises(MessageError):
        store.request("a")
    clock.seconds = 10
    store.do_upkeep()
    assert add(store, "b") is None
    again = open_store(now=clock)
    assert again.queue() == ["a", "b"]


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    class Full:
        def __getattr__(self, name):
            raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(spool, "struct", Full())
    with pytest.raises(NoSpaceError, match="is full"):
        spool.write_message(tmp_path / "m", [b"x"])
    assert list(tmp_path.iterdir()) == []


# A queue file that is not as it should be


@pytest.mark.parametrize("damage", ["garbage", "deleted", "emptied", "other"])
def test_a_damaged_queue_file_is_kept_and_no_job_is_lost(tmp_path, damage):
    first = JobStore(tmp_path / "jobs")
    request = wire.encode(protocol.Ping(job="a", id="1"))
    for job in ("a", "b"):
        add(first, job, wire.encode(protocol.Ping(job=job)))
    first.append("a", wire.encode(protocol.Progress(job="a", stage="s", step=1, steps=2)))
    first.end("b", lambda sequence: wire.encode(protocol.Cancelled(job="b", sequence=sequence)))
    first.close()
    path = tmp_path / "jobs" / "queue.sqlite"
    if damage == "garbage":
        path.write_bytes(b"no database" * 100)
    elif damage == "deleted":
        path.unlink()
    elif damage == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE jobs (title TEXT)")
        database.commit()
        database.close()
    second = JobStore(tmp_path / "jobs")
    assert second.queue() == ["a"]
    assert second.find("a").results == 1
    assert second.find("b") == JobRecord("b", JobState.ENDED, attempts=0, results=1)
    second.request("a")
    second.settle()
    assert len(second.request("a")) == len(request)
    second.close()
    kept = list((tmp_path / "jobs").glob("queue.damaged-*.sqlite"))
    assert len(kept) == (damage in ("garbage", "other"))
    if damage == "garbage":
        assert kept[0].read_bytes() == b"no database" * 100


def test_no_sentence_tells_to_delete_a_queue_that_cannot_be_written(tmp_path, monkeypatch):
    for text, code, words in (
        ("attempt to write a readonly database", ErrorCode.BAD_VALUE, "make it and its folder writable"),
        ("unable to open database file", ErrorCode.BAD_VALUE, "make it and its folder writable"),
        ("disk I/O error", ErrorCode.NO_SPACE, "free some space"),
    ):

        def refuse(*_, text=text):
            raise sqlite3.OperationalError(text)

        monkeypatch.setattr("backend_server.service.queue_file._open", refuse)
        with pytest.raises(SpeechFaceError, match=words) as caught:
            JobStore(tmp_path / "jobs")
        assert caught.value.code is code
        assert "delete" not in caught.value.sentence


def test_a_queue_of_an_earlier_version_is_read(open_store, tmp_path):
    folder = tmp_path / "jobs"
    (folder / "job_a").mkdir(parents=True)
    spool.write_message(folder / "job_a" / "request", [b"old request"])
    database = sqlite3.connect(folder / "queue.sqlite")
    database.execute(
        "CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, "
        "attempts INTEGER NOT NULL DEFAULT 0, results INTEGER NOT NULL DEFAULT 0, changed REAL NOT NULL)"
    )
    year_9999 = 253370764800.0
    database.executemany(
        "INSERT INTO jobs (id, state, results, changed) VALUES (?, ?, 0, ?)",
        [("a", "running", year_9999), ("b", "ended", year_9999)],
    )
    database.commit()
    database.close()
    store = open_store()
    assert store.queue() == ["a"]
    assert store.find("b").state is JobState.ENDED
    store.do_upkeep()
    store.request("a")
    store.settle()
    assert store.request("a") == [b"old request"]


@posix
def test_folders_that_others_may_use_are_closed_to_them(tmp_path, caplog):
    folder = tmp_path / "jobs"
    folder.mkdir()
    folder.chmod(0o777)
    JobStore(folder).close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "was open to other users (mode 0777)" in caplog.text


def test_what_a_service_did_not_finish_deleting_is_deleted(open_store, tmp_path):
    (tmp_path / "jobs" / "trash_1").mkdir(parents=True)
    (tmp_path / "jobs" / "trash_1" / "request").write_bytes(b"x")
    open_store().settle()
    assert folder_names(tmp_path) == set()


@given(parts=st.lists(st.binary(max_size=100), max_size=8), cut=st.integers(1, 50))
def test_messages_on_disk(tmp_path_factory, parts, cut):
    path = tmp_path_factory.getbasetemp() / "message"
    spool.write_message(path, parts)
    assert spool.read_message(path) == parts
    assert spool.read_message(path, most=2) == parts[:2]
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(MessageError):
        spool.read_message(path)
