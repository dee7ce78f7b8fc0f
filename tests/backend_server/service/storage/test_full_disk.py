import errno
import os
import re
import sqlite3

import pytest

from backend_server.service.storage import folders, spool
from backend_server.service.storage.job_index import JobRecord
from backend_server.service.storage.queue_file import JobState, QueueFile
from shared.errors import ErrorCode, MessageError, NoSpaceError, SpeechFaceError


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
    store.add_now("a")
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
    assert [store.result_now("a", n) for n in (1, 2)] == [[b"one"], [b"failed 2"]]
    full.is_full = False
    again = open_store()
    assert again.find("a").state is JobState.ENDED


def test_an_end_that_no_disk_takes_stays_in_memory_and_is_stored_later(open_store, clock, tmp_path, monkeypatch):
    store = open_store(now=clock)
    store.add_now("a")
    full = Full(monkeypatch, tmp_path, takes_after_reserve=False)
    store.end_now("a")
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
    assert store.result_now("a", 1) == [b"end"]  # from the disk
    again = open_store(now=clock)
    assert again.find("a").state is JobState.ENDED


@pytest.mark.parametrize("error", ["database or disk is full", "disk I/O error"])
def test_a_full_disk_that_sqlite_meets_is_named(store, monkeypatch, error):
    def full(*_):
        raise sqlite3.OperationalError(error)

    monkeypatch.setattr(QueueFile, "add", full)
    told = store.add_now("a")
    assert told.code is ErrorCode.NO_SPACE
    assert store.find("a") is None
    monkeypatch.undo()
    assert store.add_now("a") is None


def test_a_locked_folder_fails_jobs_with_its_name(store, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(spool, "atomic_write", refuse)
    told = store.add_now("a")
    assert "make the folder writable" in told.sentence
    monkeypatch.undo()
    assert store.add_now("a") is None


def test_a_folder_that_vanishes_is_made_again(open_store, clock, tmp_path):
    store = open_store(now=clock)
    store.add_now("a")
    folders.shutil.rmtree(tmp_path / "jobs")
    store.request("a")
    store.settle()
    with pytest.raises(MessageError):
        store.request("a")
    clock.seconds = 10
    store.do_upkeep()
    assert store.add_now("b") is None
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


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EFBIG, "write larger files (ulimit -f)"), (errno.EACCES, "make the folder writable")],
)
def test_the_advice_fits_what_was_wrong(tmp_path, monkeypatch, number, advice):
    def fails(path, parts):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(spool, "_write", fails)
    with pytest.raises(SpeechFaceError, match=re.escape(advice)):
        spool.write_message(tmp_path / "message", [b"x"])
