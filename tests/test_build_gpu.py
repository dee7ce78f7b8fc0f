"""Tests how build.py deals out the minutes of a GPU, without one."""

import json
import re
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import typer.main

import build_gpu
from backend_server.__main__ import app
from build import BuildError

ROOT = Path(__file__).parents[1]
HEALTHY = json.dumps({"missing": [], "refusal": "", "torch": "2.13.0"})


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "index.tsv").touch()
    return folder


@pytest.fixture
def run(monkeypatch, corpus, tmp_path):
    """Runs the command line with these commands as its parts, and returns the exit code; the results are in `out`."""

    def start(parts, *options, **seconds):
        monkeypatch.setattr(build_gpu, "ask", lambda *command: HEALTHY)
        given = [(name, [sys.executable, "-c", *command]) for name, command in parts.items()]
        monkeypatch.setattr(build_gpu, "plan", lambda args, python, judged: given)
        monkeypatch.setattr(build_gpu, "SECONDS", {**dict.fromkeys(("motion", *parts), 60), **seconds})
        words = ["--data", str(corpus), "--out", str(tmp_path / "out"), *options]
        monkeypatch.setattr(sys, "argv", ["build_gpu.py", *words])
        return build_gpu.main()

    return start


def test_a_part_leaves_its_time_to_those_behind_it(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(build_gpu.time, "monotonic", lambda: now[0])
    shares = build_gpu.Shares(8, {"first": 1, "second": 2, "third": 1})
    assert shares.take("first") == (120, 120 + build_gpu.OVERRUN)
    now[0] += 30
    assert shares.take("second") == (300, 300 + build_gpu.OVERRUN)
    now[0] += 350
    assert shares.take("third") == (100, 100)  # nothing is behind it that it could take from
    now[0] += 200
    assert build_gpu.Shares(0, {"late": 1}).take("late") == (0, 0)


def test_the_python_that_computes_on_the_device_is_taken(monkeypatch, tmp_path, capsys):
    venv = build_gpu.venv_python(tmp_path)
    venv.parent.mkdir()
    venv.touch()
    monkeypatch.setattr(build_gpu, "VENV", tmp_path)
    answers = {str(venv): {"missing": [], "refusal": "Torch not compiled with CUDA enabled"}}
    monkeypatch.setattr(
        build_gpu, "ask", lambda python, *more: json.dumps(answers[python]) if python in answers else ""
    )
    with pytest.raises(BuildError) as refused:
        build_gpu.choose_python("cuda")
    assert "\n" not in str(refused.value)
    for words in ("'cuda'", "Torch not compiled", "needs Python 3.11", "build.py test --cuda"):
        assert words in str(refused.value)
    answers[sys.executable] = {"missing": ["av", "mediapipe"], "refusal": "", "torch": "2.13.0"}
    assert build_gpu.choose_python("cuda") == sys.executable
    assert "lacks av, mediapipe" in capsys.readouterr().out


def test_this_python_is_asked_what_it_has(monkeypatch, tmp_path):
    monkeypatch.setattr(build_gpu, "VENV", tmp_path)
    assert build_gpu.choose_python("cpu") == sys.executable
    with pytest.raises(BuildError, match="'nonsense'"):
        build_gpu.choose_python("nonsense")


def test_the_planned_commands_are_ones_that_the_backend_takes(tmp_path):
    commands = typer.main.get_command(app).commands
    for device, speech in (("cuda", tmp_path / "speech"), ("cpu", None)):
        args = Namespace(data=tmp_path / "corpus", speech=speech, out=tmp_path / "out", device=device)
        parts = build_gpu.plan(args, "python", tmp_path / "judged")
        assert [name for name, _ in parts] == list(build_gpu.SECONDS)
        assert parts[0][1][-1] == build_gpu.GPU_TESTS
        for _, command in parts[1:]:
            assert command[:3] == ["python", "-m", "backend_server"]
            words = ["2.5" if word == build_gpu.MINUTES else word for word in command[3:]]
            taken = commands[words[0]].make_context(words[0], words[1:]).params
            assert taken["device"] == device
            assert taken["out"].is_relative_to(tmp_path / "out")
            assert taken.get("batch") == (16 if device == "cuda" and taken.get("stage") == "texture" else None)


def test_all_tests_that_need_a_gpu_are_run():
    marked = re.compile(r"mark\.gpu\b")
    found = [path for path in (ROOT / "tests").rglob("test_*.py") if marked.search(path.read_text("utf-8"))]
    assert [path.relative_to(ROOT).as_posix() for path in found if path != Path(__file__)] == [build_gpu.GPU_TESTS]


def test_a_part_that_fails_or_never_ends_does_not_stop_the_next(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build_gpu, "OVERRUN", 0)
    parts = {
        "fails": ["print('ä' * 3); raise SystemExit(3)"],
        "never_ends": ["import time; print('begun', flush=True); time.sleep(600)"],
        "trains": ["import sys; print('for', sys.argv[1])", build_gpu.MINUTES],
        "evaluate": ["raise SystemExit(1)"],  # is left out: nothing was trained
    }
    assert run(parts, "--minutes", "10", never_ends=1) == 124  # 600 s / 180 for it
    shown = capsys.readouterr().out
    for name, code in (("fails", r"FAILED \(exit code 3\)"), ("never_ends", r"FAILED \(exit code 124\)")):
        assert re.search(rf"^   {name} +{code} +\d+\.\d s$", shown, re.MULTILINE)
    assert re.search(r"^   trains +passed", shown, re.MULTILINE)
    assert re.search(r"^   evaluate +no time left", shown, re.MULTILINE)
    written = [(tmp_path / "out" / f"{name}.log").read_text("utf-8") for name in list(parts)[:3]]
    assert written[:2] == ["äää\n", "begun\n"]
    assert float(written[2].removeprefix("for ")) > 1
    assert all(text in shown for text in written)


def test_new_weights_are_judged_among_those_that_ship(tmp_path):
    new, judged = tmp_path / "new", tmp_path / "judged"
    new.mkdir()
    judged.mkdir()
    assert not build_gpu.gather(new, judged)
    (new / "texture.safetensors").write_bytes(b"new")
    assert build_gpu.gather(new, judged)
    assert (judged / "texture.safetensors").read_bytes() == b"new"
    assert (judged / "blink.safetensors").read_bytes() == (build_gpu.SHIPPED / "blink.safetensors").read_bytes()


def test_large_files_come_in_pieces_when_asked_for(run, monkeypatch, tmp_path):
    monkeypatch.setattr(build_gpu, "PIECE", 4)
    out = tmp_path / "out"
    weights = out / "weights" / "texture_paper.safetensors"
    write = f"from pathlib import Path; Path({str(weights)!r}).write_bytes(b'0123456789'); "
    for state in (weights.with_suffix(".training"), weights.with_name("motion.training")):  # motion was stopped
        write += f"Path({str(state)!r}).touch(); "
    assert run({"trains": [write + "print('!')"]}, "--pieces") == 0
    *kept, first, second, third = sorted(weights.parent.iterdir())
    assert [path.name for path in kept] == ["motion.training"]
    assert [path.name for path in (first, second, third)] == [f"{weights.name}.0{number}" for number in range(3)]
    assert first.read_bytes() + second.read_bytes() + third.read_bytes() == b"0123456789"
    assert (out / "trains.log").read_text("utf-8") == "!\n"


def test_what_cannot_be_begun_is_refused_in_one_sentence(run, corpus, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.log").touch()
    assert run({}) == 2
    (corpus / "index.tsv").unlink()
    assert run({}) == 2
    full, empty = capsys.readouterr().err.splitlines()
    assert full == f"build.py gpu: --out {str(tmp_path / 'out')!r} holds files already; name another folder."
    assert empty.startswith(f"build.py gpu: --data {str(corpus)!r} is no corpus; make one: ")
