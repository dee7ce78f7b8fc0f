import json
import os
import sys
import time

import pytest

NAME = "ab" * 32


@pytest.fixture
def notes(store, face):
    """The file of notes of a kept face, and what it holds."""
    store.save(face(NAME))
    path = store.folder / f"{NAME}.json"
    return path, json.loads(path.read_text())


def deep(content):
    return b'{"record":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def changed(**values):
    return lambda content: json.dumps({**content, "record": {**content["record"], **values}}).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b'{"record": "\xff\xfe"}',
        lambda content: json.dumps(content).encode().replace(b'"learnt_at": "', b'"learnt_at": "\xff'),
        deep,
        changed(neutral=[[1.0, 2.0]] * 67 + [[1.0]]),
        changed(crop=[[1.0, 2.0, 3.0], [1.0]]),
        changed(crop=[]),
        changed(learnt_at="99999-12-31T23:59:59Z"),
        lambda content: b"null",
    ],
)
def test_damaged_notes_count_as_absent(store, notes, damage):
    path, content = notes
    path.write_bytes(damage(content))
    assert store.record(NAME) is None
    assert store.is_damaged(NAME)
    assert store.names() == [NAME]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
@pytest.mark.parametrize("part", ["json", "safetensors"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(store, notes, part):
    path = store.folder / f"{NAME}.{part}"
    path.unlink()
    os.mkfifo(path)
    assert store.record(NAME) is None
    assert store.names() == [NAME]


def test_a_link_to_nothing_is_listed_and_counts_as_damaged(store, notes):
    path, _ = notes
    path.unlink()
    path.symlink_to("nowhere")
    assert store.names() == [NAME]
    assert store.record(NAME) is None


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set")
def test_a_face_learnt_at_the_end_of_time_can_be_listed(store, notes, monkeypatch):
    path, content = notes
    path.write_bytes(changed(learnt_at="9999-12-31T23:59:59Z")(content))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert store.record(NAME).day_and_time == "9999-12-31 23:59"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
def test_a_folder_of_faces_that_others_may_use_is_closed_to_them(store):
    store.folder.mkdir(parents=True)
    store.folder.chmod(0o777)
    store.prepare()
    assert store.folder.stat().st_mode & 0o777 == 0o700
