"""Tests what the drive of a real window decides without one: programs, paths, what failed, and how long steps took."""

import itertools

import pytest

from tests.gui import run, watching


@pytest.fixture
def program(tmp_path):
    """A file that could be started, in a folder with a space in its name."""
    path = tmp_path / "my programs" / "blender.exe"
    path.parent.mkdir()
    path.touch(0o755)
    return path


def test_blender_is_what_was_given_then_what_the_environment_names(program):
    assert run.blender_command(str(program), {"BLENDER": "nothing"}) == [str(program)]
    assert run.blender_command(None, {"BLENDER": str(program)}) == [str(program)]
    quoted = f"'{program}' --gpu-backend opengl"
    if run.os.name != "nt":
        assert run.blender_command(quoted, {}) == [str(program), "--gpu-backend", "opengl"]


def test_a_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"'no_such_blender' is no program; name Blender with --blender or \$BLENDER"):
        run.blender_command("no_such_blender", {})


def test_what_blender_is_given_does_not_name_the_checkout(program):
    words = run.arguments([str(program), "-x"], "drive.py", "--out", "out/gui", "--parts", "rig")
    assert words[:2] == [str(program), "-x"]
    assert words[-7:] == ["--python", "tests/gui/drive.py", "--", "--out", "out/gui", "--parts", "rig"]
    assert not [word for word in words[2:] if str(run.ROOT) in word]
    assert (run.ROOT / words[-6]).is_file()


def test_a_screen_is_started_only_where_there_is_none(monkeypatch):
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert run.wants_screen({}, "linux")
    assert not run.wants_screen({"DISPLAY": ":0"}, "linux")
    assert not run.wants_screen({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert not run.wants_screen({}, "darwin")
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    assert not run.wants_screen({}, "linux")


def test_a_new_user_has_empty_folders_and_no_checkout(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"zip")
    (tmp_path / "out" / "home" / "left").mkdir(parents=True)
    given = {"PATH": "/bin", "PYTHONPATH": str(run.ROOT), "SPEECH_FACE_DATA": "x", "SPEECH_FACE_TORCH_INDEX": "pip"}
    environment = run.new_user(tmp_path / "out", archive, given)
    assert environment["PATH"] == "/bin"
    assert environment["SPEECH_FACE_TORCH_INDEX"] == "pip"
    assert not {"PYTHONPATH", "SPEECH_FACE_DATA"} & set(environment)
    assert list((tmp_path / "out" / "home").iterdir()) == []
    assert environment["HOME"] == str(tmp_path / "out" / "home")
    assert not [value for value in environment.values() if str(run.ROOT) in value]
    assert (tmp_path / "out" / "tests" / "gui" / "first_minute.py").is_file()


def test_a_zip_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"there is no zip '.*none.zip'; `build.py addon` makes one"):
        run.new_user(tmp_path, tmp_path / "none.zip", {})


def test_without_a_report_nothing_passed():
    assert "before it wrote a report" in run.verdict(None, 0)[0]
    assert "give it more --seconds" in run.verdict(None, 124)[0]
    assert run.verdict({"failures": []}, 0) == []
    assert run.verdict({"failures": ["no plane"]}, 1) == ["no plane"]
    assert run.verdict({"failures": []}, 139) == ["Blender ended with exit code 139; read blender.log"]


def test_steps_are_noted_by_what_they_do_also_those_that_fail(monkeypatch):
    monkeypatch.setattr(watching.time, "monotonic", itertools.accumulate([10.0, 0.02, 1.0, 0.07]).__next__)
    monkeypatch.setattr(watching.time, "thread_time", itertools.accumulate([1.0, 0.01, 1.0, 0.03]).__next__)
    watch, kinds = watching.Watch(), iter(["reading", "pictures arriving"])
    step = watch.step(lambda: next(kinds), lambda number: 1 / number)
    assert step(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        step(0)
    assert watch.longest_milliseconds("reading") == (20.0, 10.0)
    assert watch.longest_milliseconds("pictures arriving") == (70.0, 30.0)
    assert watch.longest_milliseconds("another") == (0.0, 0.0)
    assert watch.errors == ["ZeroDivisionError: division by zero"]


def test_a_picture_is_seen_when_one_is_drawn_after_the_first_came():
    watch = watching.Watch(came=[5.0, 6.0], drawn=[4.0, 5.25, 5.5])
    assert watch.delay_seconds() == 0.25
    assert watching.Watch(came=[5.0], drawn=[4.0]).delay_seconds() is None


def test_every_traceback_in_blenders_log_is_found():
    log = (
        "Blender 5.2\nTraceback (most recent call last):\n  File 'a.py', line 1\n    1 / 0\nZeroDivisionError: no\n"
        "Info: fine\nTraceback (most recent call last):\n  File 'b.py'\nKeyError: 'x'\n"
    )
    assert watching.faults(log) == ["ZeroDivisionError: no", "KeyError: 'x'"]
