"""Tests that results replace only results, and that nothing of a user is ever lost."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from backend_server.commands.output_folder import output_folder
from backend_server.commands.owned_files import LIST, OwnedFiles, files_below, main
from backend_server.files import sweep_temporaries, temporary_name
from shared.errors import ValueRangeError


def write(target, **texts):
    """One run that writes these files; `frames__a_png` is frames/a.png. Returns what it said."""
    said = []
    with output_folder(target, say=said.append) as folder:
        for name, text in texts.items():
            path = folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return said


def contents(target):
    return {name: (target / name).read_text() for name in files_below(target) if name != LIST}


def test_all_that_an_earlier_run_wrote_is_gone_and_nothing_else(tmp_path):
    target = tmp_path / "out"
    write(target, curves_json="old", film_mp4="old", frames__1_png="old", frames__2_png="old", deep__x="old")
    (target / "me.txt").write_text("mine")
    (target / "frames" / "sketch.png").write_text("mine")
    assert write(target, curves_json="new", frames__1_png="new") == []
    assert contents(target) == {
        "curves.json": "new",
        "frames/1.png": "new",
        "me.txt": "mine",
        "frames/sketch.png": "mine",
    }
    assert not (target / "deep").exists()


@pytest.mark.parametrize("was_ours", [True, False])
def test_a_file_of_others_keeps_its_content_under_another_name(tmp_path, was_ours):
    target = tmp_path / "out"
    if was_ours:
        write(target, curves_json="made", old_json="made")
        (target / "old.json").write_text("edited")
    else:
        target.mkdir()
    (target / "curves.json").write_text("mine")
    for number, added in enumerate((" (kept)", " (kept 2)"), 1):
        said = write(target, curves_json=f"new {number}")
        assert said == [
            f"{target / 'curves.json'} was not written by Speech Face, or was changed since; "
            f"it is now {target / f'curves{added}.json'}"
        ]
        assert (target / f"curves{added}.json").read_text() == "mine"
        assert (target / "curves.json").read_text() == f"new {number}"
        (target / "curves.json").write_text("mine")
    if was_ours:
        assert (target / "old.json").read_text() == "edited"  # not needed by the new run: left where it is


def test_same_size_and_later_time_is_still_seen_as_a_change_or_not_by_content(tmp_path):
    target = tmp_path / "out"
    write(target, a="1234", b="1234")
    (target / "a").write_text("4321")
    os.utime(target / "b", (0, 0))  # copied to another disk: other time, same content
    assert OwnedFiles(target).owns("b") and not OwnedFiles(target).owns("a")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_of_others_are_not_followed(tmp_path):
    target, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    target.mkdir()
    elsewhere.mkdir()
    (elsewhere / "1.png").write_text("mine")
    (target / "frames").symlink_to(elsewhere)
    (target / "curves.json").symlink_to(tmp_path / "gone")
    assert len(write(target, frames__1_png="new", curves_json="new")) == 2
    assert (elsewhere / "1.png").read_text() == "mine"
    assert (target / "frames" / "1.png").read_text() == "new"
    assert (target / "frames (kept)").readlink() == elsewhere
    assert (target / "curves.json").read_text() == "new"
    with pytest.raises(ValueRangeError, match=r"is a link to .*gone, which does not exist; create that folder"):
        write(target / "curves (kept).json", a="new")


def test_a_file_where_a_folder_must_be(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "frames").write_text("mine")
    write(target, frames__1_png="new")
    assert contents(target) == {"frames/1.png": "new", "frames (kept)": "mine"}


def test_a_run_that_was_killed_while_it_replaced_owns_old_and_new(tmp_path, monkeypatch):
    from backend_server.commands import output_folder as module

    target = tmp_path / "out"
    write(target, a="old", b="old", c="old")
    move, moved = module.shutil.move, []

    def dies(source, place):
        if moved:
            raise KeyboardInterrupt
        moved.append(move(source, place))

    monkeypatch.setattr(module.shutil, "move", dies)
    with pytest.raises(KeyboardInterrupt):
        write(target, a="new", b="new")
    monkeypatch.undo()
    assert write(target, z="newest") == []
    assert contents(target) == {"z": "newest"}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"files": {"a": 3}}'])
def test_a_damaged_list_owns_nothing(tmp_path, content):
    target = tmp_path / "out"
    write(target, a="mine now")
    (target / LIST).write_bytes(content)
    write(target, a="new")
    assert contents(target) == {"a": "new", "a (kept)": "mine now"}


def test_what_killed_runs_left_is_swept_when_it_is_old(tmp_path):
    target = tmp_path / "out"
    old, fresh = (temporary_name(target / "results") for _ in range(2))
    other = temporary_name(target / "else")
    for folder in (old, fresh, other):
        (folder / "frames").mkdir(parents=True)
    eight_days_ago = time.time() - 8 * 24 * 3600
    for place in (old / "frames", old, other / "frames", other):
        os.utime(place, (eight_days_ago, eight_days_ago))
    write(target, a="new")
    assert not old.exists() and fresh.exists() and other.exists()
    file = temporary_name(tmp_path / "face.safetensors")
    file.touch()
    os.utime(file, (eight_days_ago, eight_days_ago))
    sweep_temporaries(tmp_path / "face.safetensors")
    assert not file.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_end_leaves_nothing(tmp_path, number):
    program = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # also when the tests outlive their terminal
        "from backend_server.commands.console import plain_failures\n"
        "from backend_server.commands.output_folder import output_folder\n"
        "with plain_failures(), output_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').touch()\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, tmp_path / "out"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "ready\n"
        run.send_signal(number)
        run.wait(10)
        assert run.stderr is not None
        errors = run.stderr.read()
    assert run.returncode == 128 + number
    assert errors == "cancelled; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [-1, 2**64 + 3])
def test_any_whole_number_is_a_seed(run_command, sound, sample_samples, tmp_path, seed):
    speech = sound("speech.wav", sample_samples[:8_000], 16_000)
    done = run_command("animate", speech, "--no-texture", "--seed", seed, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "out" / "report.json").read_text())["seed"] == seed % 2**32


def test_a_file_written_beside_a_command_is_owned_too_until_it_is_changed(tmp_path):
    scene = tmp_path / "scene.blend"
    scene.write_text("made")
    main(scene)
    assert OwnedFiles(tmp_path).owns("scene.blend")
    scene.write_text("saved by an artist")
    assert not OwnedFiles(tmp_path).owns("scene.blend")
