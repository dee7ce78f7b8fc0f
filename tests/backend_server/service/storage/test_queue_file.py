import sqlite3
import sys

import pytest

from backend_server.service.storage import spool
from backend_server.service.storage.job_index import JobRecord
from backend_server.service.storage.queue_file import JobState
from backend_server.service.storage.store import JobStore
from shared import protocol, wire
from shared.errors import ErrorCode, SpeechFaceError

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def folder_names(tmp_path):
    return {path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()}


@pytest.mark.parametrize("damage", ["garbage", "deleted", "emptied", "other"])
def test_a_damaged_queue_file_is_kept_and_no_job_is_lost(make_store, tmp_path, damage):
    first = make_store(tmp_path / "jobs")
    request = wire.encode(protocol.Ping(job="a", id="1"))
    for job in ("a", "b"):
        first.add_now(job, wire.encode(protocol.Ping(job=job)))
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
    second = make_store(tmp_path / "jobs")
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

        monkeypatch.setattr("backend_server.service.storage.queue_file._open", refuse)
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
