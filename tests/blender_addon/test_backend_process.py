"""Tests that the backend's Python is found, started, watched and ended, and that every failure is reported."""

import os
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def processes(addon):
    from blender_addon import backend_process

    return backend_process


@pytest.fixture
def start(processes, tmp_path):
    """Starts a process whose `backend_server` is the given program."""
    started = []

    def start(program):
        (tmp_path / "backend_server").mkdir()
        (tmp_path / "backend_server" / "__main__.py").write_text(program)
        command = processes.BackendCommand(Path(sys.executable), tmp_path)
        started.append(processes.BackendProcess(command, tmp_path / "data"))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.stop()


def test_where_python_is_looked_for(processes, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    by_folder = processes.find_python("", str(tmp_path), {})
    assert (by_folder.python, by_folder.folder) == (python, tmp_path)
    by_variable = processes.find_python("", "", {"SPEECH_FACE_PYTHON": str(python)})
    assert (by_variable.python, by_variable.folder) == (python, tmp_path)
    assert processes.find_python(sys.executable, str(tmp_path), {}).python == Path(sys.executable)


@pytest.mark.parametrize(
    ("configured", "folder", "variable", "sentence"),
    [
        ("", "", "", "is not set up"),
        ("/no/python", "", "", "from the add-on's preferences, does not exist"),
        ("", "", "/no/python", r"from \$SPEECH_FACE_PYTHON, does not exist"),
        ("", "/", "", "holds no .venv"),
    ],
)
def test_what_is_said_when_there_is_none(processes, configured, folder, variable, sentence):
    from blender_addon._shared import errors

    with pytest.raises(errors.SpeechFaceError, match=sentence):
        processes.find_python(configured, folder, {"SPEECH_FACE_PYTHON": variable})


def test_arguments_and_environment(start, monkeypatch, until):
    monkeypatch.setenv("PYTHONPATH", "/blenders/own")
    process = start("import os, sys; print(sys.argv[1:], os.environ.get('PYTHONPATH'))")
    until(lambda: not process.is_running)
    arguments = ["serve", "--connection-file", str(process.connection_file), "--parent-pid", str(os.getpid())]
    assert process.log_tail().strip() == f"{[*arguments, '--share']} None"


def test_logs_of_other_blenders_are_deleted_after_a_week(start, tmp_path, until):
    folder, now = tmp_path / "data", time.time()
    folder.mkdir()
    ages = {"backend-1.log": 8, "backend-2.log": 6, "backend-x.log": 8, "backend.log": 8, "connection-1.json": 8}
    for name, days in ages.items():
        (folder / name).touch()
        os.utime(folder / name, (now - days * 24 * 3600,) * 2)
    process = start("print('here')")
    until(lambda: not process.is_running)
    left = {path.name for path in folder.iterdir()}
    assert left == {*ages, process.log_file.name} - {"backend-1.log"}


def test_a_backend_that_ends_is_noticed_with_its_last_words(start, until):
    from blender_addon._shared import errors

    process = start("raise SystemExit('no weights here')")
    until(lambda: not process.is_running)
    with pytest.raises(errors.SpeechFaceError, match=r"ended with code 1 \(no weights here\)"):
        process.check()


def test_stop_ends_even_one_that_does_not_listen(start, processes, monkeypatch, until):
    monkeypatch.setattr(processes, "_STOP_SECONDS", 0.3)
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


def test_a_python_that_does_not_run_is_said(processes, tmp_path):
    from blender_addon._shared import errors

    process = processes.BackendProcess(processes.BackendCommand(tmp_path, tmp_path), tmp_path / "data")
    with pytest.raises(errors.SpeechFaceError, match="cannot be started"):
        process.start()
