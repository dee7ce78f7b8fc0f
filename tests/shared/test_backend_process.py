"""Tests that the backend is started, watched and ended, and that every failure is reported."""

import os
import sys
import time
from pathlib import Path

import pytest

from shared import backend_process
from shared.errors import SpeechFaceError


def until(is_true, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "the deadline has passed"
        time.sleep(0.001)  # polling


@pytest.fixture
def start(tmp_path):
    """Starts a process whose `backend_server` is the given program."""
    started = []

    def start(program):
        (tmp_path / "backend_server").mkdir()
        (tmp_path / "backend_server" / "__main__.py").write_text(program)
        command = backend_process.BackendCommand(Path(sys.executable), tmp_path)
        started.append(backend_process.BackendProcess(command, tmp_path / "data"))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.stop()


def test_arguments_and_environment(start, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/the/programs/own")
    process = start("import os, sys; print(sys.argv[1:], os.environ.get('PYTHONPATH'))")
    until(lambda: not process.is_running)
    arguments = ["serve", "--connection-file", str(process.connection_file), "--parent-pid", str(os.getpid())]
    assert process.log_tail().strip() == f"{[*arguments, '--share']} None"


def test_logs_of_other_programs_are_deleted_after_a_week(start, tmp_path):
    folder, now = tmp_path / "data", time.time()
    folder.mkdir()
    ages = {
        "backend-1.log": 8,
        "backend-1-1.log": 8,
        "backend-2.log": 6,
        "backend-x.log": 8,
        "backend.log": 8,
        "connection-1.json": 8,
    }
    for name, days in ages.items():
        (folder / name).touch()
        os.utime(folder / name, (now - days * 24 * 3600,) * 2)
    process = start("print('here')")
    until(lambda: not process.is_running)
    left = {path.name for path in folder.iterdir()}
    assert left == {*ages, process.log_file.name} - {"backend-1.log", "backend-1-1.log"}


def test_a_backend_that_ends_is_noticed_with_its_last_words(start):
    process = start("raise SystemExit('no weights here')")
    until(lambda: not process.is_running)
    with pytest.raises(SpeechFaceError, match=r"ended with code 1 \(no weights here\)"):
        process.check()


NOISE = """
W0000 00:00:1 gl_context.cc:1118] OpenGL error: no display
/usr/lib/python3.11/multiprocessing/resource_tracker.py:254: UserWarning: There appear to be 1 leaked objects
  warnings.warn('resource_tracker: There appear to be %d leaked objects'
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            "2026-12-01 03:17:00,123 INFO a: ready\nerror: no weights here; train them\n",
            "error: no weights here; train them",
        ),
        (
            "error: the folder '/x' cannot be written; choose another",
            "error: the folder '/x' cannot be written; choose another",
        ),
        (
            "Traceback (most recent call last):\n  File 'a.py', line 3, in f\nshared.errors.SoundError: no speech\n",
            "shared.errors.SoundError: no speech",
        ),
        ("/p/python: No module named backend_server\n", "/p/python: No module named backend_server"),
        ("2026-12-01 03:17:00,123 ERROR a: the disk is full\n", "2026-12-01 03:17:00,123 ERROR a: the disk is full"),
        ("nothing that is known\n", "nothing that is known"),
        ("", "its log is empty"),
    ],
)
def test_complaint_17_the_line_that_says_why_is_quoted(log, expected):
    assert backend_process.last_words(log) == expected
    if "nothing" not in log and log:
        assert backend_process.last_words(log + NOISE) == expected


def test_stop_ends_even_one_that_does_not_listen(start, monkeypatch):
    monkeypatch.setattr(backend_process, "_STOP_SECONDS", 0.3)
    process = start(
        "import pathlib, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[3]).write_text('here')\n"
        "signal.pause()"
    )
    until(process.connection_file.exists)
    process.stop()
    assert not process.is_running
    assert not process.connection_file.exists()


def test_a_python_that_does_not_run_is_said(tmp_path):
    process = backend_process.BackendProcess(backend_process.BackendCommand(tmp_path, tmp_path), tmp_path / "data")
    with pytest.raises(SpeechFaceError, match="cannot be started"):
        process.start()
