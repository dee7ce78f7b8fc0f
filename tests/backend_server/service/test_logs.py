"""Tests that the log of a service takes a bounded room on the disk, and that none of its newest entries is missing."""

import logging

import pytest

from backend_server.service import logs

ENTRIES = 500
LIMIT = 10_000  # bytes


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Starts a log with a low limit, writes numbered entries, and returns its path."""
    monkeypatch.setattr(logs, "_MOST_BYTES", LIMIT)
    root, path = logging.getLogger(), tmp_path / "data" / "backend.log"
    handlers, level = root.handlers[:], root.level

    def write(**options):
        logs.start_log(path, **options)
        for number in range(ENTRIES):
            logging.getLogger("test").info("entry %d ends", number)
        return path

    yield write
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("options", [{}, {"is_stderr_kept": True}])
def test_the_file_is_bounded_with_one_older_beside_it(write, options):
    path = write(**options)
    older = path.with_name("backend.log.1")
    assert sorted(path.parent.iterdir()) == [path, older]
    assert path.stat().st_size <= LIMIT and older.stat().st_size <= LIMIT
    lines = (older.read_text("utf-8") + path.read_text("utf-8")).splitlines()
    first = ENTRIES - len(lines)
    assert first > 0
    assert [line.split("entry ")[1] for line in lines] == [f"{number} ends" for number in range(first, ENTRIES)]


def test_standard_error_that_is_kept_gets_the_beginning_and_the_name_of_the_file(write, capsys):
    path = write(is_stderr_kept=True)
    shown = capsys.readouterr().err
    *entries, last = shown.splitlines()
    assert last == f"What follows is in {path} alone."
    assert 0 < len(shown) <= LIMIT + 200
    assert [line.split("entry ")[1] for line in entries] == [f"{number} ends" for number in range(len(entries))]


def test_a_terminal_is_shown_everything(write, capsys):
    write()
    assert capsys.readouterr().err.count("ends") == ENTRIES
