"""Tests the installation of the backend with real child processes: what stops it, what it says, and how it goes on."""

import json
import os
import re
import sys
import time
import zipfile

import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")

NO_INDEX = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",  # nothing listens there
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_RETRIES": "1",
}


@pytest.fixture
def wheel(addon, tmp_path):
    """A small wheel that looks like the backend's."""
    from blender_addon.installing import installed

    path = tmp_path / "speech_face-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("backend_server/__main__.py", "")
        text = "Name: speech-face\nVersion: 0.1.0\nRequires-Dist: torch==2.13.0\nRequires-Dist: numpy>=2\n"
        archive.writestr("speech_face-0.1.0.dist-info/METADATA", text)
    return installed.read_wheel(path)


@pytest.fixture
def prepare(wheel, tmp_path, monkeypatch):
    """Makes installations that have this Python alone and no package index."""
    from blender_addon.installing import install_recipe, installation

    for name, value in NO_INDEX.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(install_recipe.environments, "python_candidates", lambda: [[str(tmp_path / "none")]])
    made = []

    def prepare(clock=time.monotonic, **changes):
        plan = install_recipe.InstallPlan(tmp_path / "user" / "backend", wheel, "cpu", sys.executable)
        made.append(installation.Installation(install_recipe.replace(plan, **changes), clock))
        return made[-1]

    yield prepare
    for each in made:
        each.cancel()


def walk(plan, record, fails=()):
    """Takes a recipe to its end without running anything; returns its commands by stage, and the record it leaves."""
    from blender_addon.installing import install_recipe, installed

    plan.folder.mkdir(parents=True, exist_ok=True)
    steps, outcome, made = install_recipe.Recipe(plan, record).commands(), None, []
    try:
        while True:
            step = next(steps) if outcome is None else steps.send(outcome)
            made.append((step.stage.name, step.command))
            found = json.dumps(["3.12", "/usr/bin/python3.12", plan.machine, False])
            outcome = install_recipe.Outcome(int(step.stage.name in fails), found)
    except StopIteration:
        return made, installed.read_record(plan.folder)


def test_every_stage_is_done_once_and_an_update_does_only_what_changed(prepare, wheel, tmp_path, monkeypatch):
    from blender_addon._shared import errors
    from blender_addon.installing import install_recipe, installed

    monkeypatch.delenv("SPEECH_FACE_TORCH_INDEX", raising=False)
    plan = install_recipe.replace(prepare().plan, system="Linux", machine="x86_64")
    with pytest.raises(errors.SpeechFaceError, match="PyTorch"):
        walk(plan, installed.Record(), fails=("TORCH",))
    stopped = installed.read_record(plan.folder)
    assert set(stopped.stages) == {"environment", "pip"}
    made, record = walk(plan, stopped)
    assert [stage for stage, _ in made] == ["PYTHON", "TORCH", "BACKEND", "CHECK"]
    python = str(installed.python_in(plan.folder))
    assert {command[0] for _, command in made} == {python}
    assert made[1][1][-3:] == ["--index-url", "https://download.pytorch.org/whl/cpu", "torch==2.13.0+cpu"]
    assert made[2][1][-1] == str(wheel.path)
    assert (record.version, record.build, record.is_complete) == ("0.1.0", "cpu", True)

    newer = install_recipe.replace(plan, wheel=install_recipe.replace(wheel, digest="another", version="0.2.0"))
    with pytest.raises(
        errors.SpeechFaceError, match=r"does not work: its check ended with code \d+ \(.*\); press Copy Log"
    ):
        walk(newer, record, fails=("CHECK",))
    assert not installed.read_record(plan.folder).is_complete  # never a broken update for a whole backend
    made, record = walk(newer, record)
    assert next(command[3:5] for stage, command in made if stage == "BACKEND") == ["uninstall", "--yes"]
    assert record.version == "0.2.0"

    made, record = walk(install_recipe.replace(newer, build="cuda"), record)
    assert [stage for stage, _ in made] == ["PYTHON", "TORCH", "BACKEND", "BACKEND", "CHECK"]  # and NVIDIA's libraries
    assert made[1][1][-1] == "torch===2.13.0"
    made, _ = walk(install_recipe.replace(newer, build="cuda"), record)
    assert [stage for stage, _ in made] == ["PYTHON", "CHECK"]


def test_an_environment_whose_python_is_gone_is_made_anew(prepare):
    from blender_addon.installing import install_recipe, installed

    plan = install_recipe.replace(prepare().plan, system="Linux", machine="x86_64")
    record = installed.Record({"environment": "/gone", "pip": "a", "torch": "b"}, "0.1.0", "cpu")
    with pytest.raises(Exception, match="environment"):
        walk(plan, record, fails=("PYTHON", "ENVIRONMENT"))
    assert installed.read_record(plan.folder).stages == {}


@pytest.mark.slow
def test_without_a_connection_it_says_so_and_goes_on_later_where_it_stopped(prepare):
    from blender_addon.installing import installed

    first = prepare()
    first.start()
    first.run_until_done()
    assert "the package index cannot be reached for pip; check this machine's connection" in first.error
    folder = first.plan.folder
    assert set(installed.read_record(folder).stages) == {"environment"}
    assert not installed.is_usable(folder)
    assert installed.python_in(folder).is_file()
    assert "NewConnectionError" in first.log_tail()
    made = installed.python_in(folder).stat().st_mtime_ns
    again = prepare()
    again.start()
    again.run_until_done()
    assert "cannot be reached" in again.error
    assert installed.python_in(folder).stat().st_mtime_ns == made
    assert " -m venv " not in again.log_tail()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
def test_cancel_ends_the_child_process_at_once_and_its_children(prepare, until):
    from blender_addon.installing.install_sizes import Stage

    running = prepare()
    running.start()
    until(lambda: running.tick() or running.stage is Stage.ENVIRONMENT)
    child = running._child._process
    group = os.getpgid(child.pid)
    running.cancel()
    assert running.is_over
    until(lambda: child.poll() is not None, 10)
    with pytest.raises(ProcessLookupError):  # nobody of its group is left, such as the Python that installs pip
        until(lambda: os.killpg(group, 0), 10)
    assert running.is_cancelled
    assert running.error == ""
    second = prepare()
    second.start()  # the lock is free again
    second.cancel()


def test_two_programs_do_not_install_into_one_folder(prepare):
    from blender_addon._shared import errors

    prepare().start()
    with pytest.raises(errors.SpeechFaceError, match="another Blender is installing into '"):
        prepare().start()


def test_no_python_is_said_with_where_to_get_one(prepare, tmp_path):
    from blender_addon._shared import errors

    with pytest.raises(errors.SpeechFaceError, match=r"no whole Python 3\.11 or 3\.12 or 3\.13 was found; install one"):
        prepare(own_python=str(tmp_path / "none")).start()


@pytest.mark.parametrize(("system", "machine"), [("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_a_wrong_platform_is_refused_with_what_else_works(prepare, system, machine):
    from blender_addon._shared import errors

    with pytest.raises(errors.SpeechFaceError, match=f"not on {system} {machine}; run it on another machine"):
        prepare(system=system, machine=machine).start()


def test_a_disk_that_is_too_small_is_said_before(prepare, monkeypatch):
    from blender_addon._shared import errors
    from blender_addon.installing import installation

    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1e9}))
    with pytest.raises(errors.SpeechFaceError, match=r"needs 3\.0 GB of free disk, and .* has 1\.0 GB"):
        prepare().start()


def test_a_folder_of_others_is_neither_used_nor_removed(prepare, tmp_path):
    from blender_addon._shared import errors
    from blender_addon.installing import installed

    folder = tmp_path / "user" / "backend"
    folder.mkdir(parents=True)
    (folder / "a month's work.txt").touch()
    with pytest.raises(errors.SpeechFaceError, match="holds files that Speech Face did not put there"):
        prepare().start()
    with pytest.raises(errors.SpeechFaceError, match="did not put there"):
        installed.set_aside(folder)
    assert [path.name for path in folder.iterdir()] == ["a month's work.txt"]


@pytest.mark.parametrize(
    ("output", "code", "expected"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            1,
            "the disk became full",
        ),
        (
            "NameResolutionError(...)\nERROR: No matching distribution found for torch",
            1,
            "index cannot be reached for torch",
        ),
        (
            "ERROR: (from versions: none)\nERROR: No matching distribution found for torch",
            1,
            "has no torch, or",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", 1, "there is no torch for this system"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", 1, "is not trusted"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403'))", 1, "proxy refuses"),
        ("PermissionError: [WinError 5] Access is denied", 1, "stop the backend in all Blenders"),
        ("", -9, "ended from outside (signal 9)"),
        ("ERROR: something new\nand more", 1, "cannot be installed ('ERROR: something new'); press Copy Log"),
    ],
)
def test_every_failure_is_one_sentence_that_says_what_to_do(addon, output, code, expected):
    from blender_addon.installing.pip_output import reason

    sentence = reason(output, code, "torch")
    assert expected in sentence
    assert sentence.isprintable()


def test_the_progress_is_read_from_what_pip_writes(addon):
    from blender_addon.installing.pip_output import PipReader

    reader = PipReader()
    reader.read("Collecting a\n  Downloading torch-2.13.0+cpu-cp311-cp311-win_amd64.whl (190.5 MB)\n")
    reader.read("Progress 0 of 190500000\nProgress 19050000 of 190500000\n")
    assert (reader.name, reader.loaded_bytes) == ("torch", 19_050_000)
    reader.read("Progress 190500000 of 190500000\n  Using cached mpmath-1.3.0-py3-none-any.whl (536 kB)\n")
    assert (reader.name, reader.loaded_bytes, reader.is_unpacking) == ("mpmath", 190_500_000, False)
    reader.read("Installing collected packages: mpmath, torch\n")
    assert (reader.loaded_bytes, reader.is_unpacking) == (191_036_000, True)


def test_the_progress_never_runs_backwards_and_tells_the_time_left(prepare, clock):
    from blender_addon.installing import setup_panel
    from blender_addon.installing.install_sizes import Stage

    running = prepare(clock)
    running.stage = Stage.TORCH
    running._begun = clock()
    running._reader.read("  Downloading torch-2.13.0-cp311-cp311-win_amd64.whl (192.0 MB)\n")
    seen = []
    for megabytes in [*range(0, 100, 10), *range(100, 192, 1)]:  # it becomes ten times slower
        running._reader.read(f"Progress {megabytes}000000 of 192000000\n")
        clock.now += 1.0
        running._look()
        seen.append((running.fraction, running.seconds_left))
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)
    assert 0.2 < seen[-1][0] < 0.8
    assert seen[9][1] < seen[2][1]  # 19 and 12 seconds of PyTorch, and as before of the rest
    assert seen[12][1] > seen[9][1]
    assert setup_panel.stage_line(running) == "Installing PyTorch: torch"
    assert re.fullmatch(r"About \d+ min \d\d s left|About \d+ s left", setup_panel.time_line(running))


def test_a_wheel_of_something_else_is_refused(addon, tmp_path):
    from blender_addon._shared import errors
    from blender_addon.installing import installed

    path = tmp_path / "other.whl"
    path.write_bytes(b"no zip")
    with pytest.raises(errors.SpeechFaceError, match=r"other\.whl' is no wheel of the backend; choose speech_face-"):
        installed.read_wheel(path)
    with pytest.raises(errors.SpeechFaceError, match=r"none\.whl' cannot be read"):
        installed.read_wheel(tmp_path / "none.whl")


@pytest.mark.parametrize("content", ["", "[1", "{}", json.dumps({"stages": 3, "version": "", "build": ""})])
def test_a_damaged_record_counts_as_none(addon, tmp_path, content):
    from blender_addon.installing import installed

    (tmp_path / installed.MARKER).write_text(content)
    assert installed.read_record(tmp_path) == installed.Record()
    record = installed.Record({"check": "a"}, "0.1.0", "cpu")
    installed.write_record(tmp_path, record)
    assert installed.read_record(tmp_path) == record
