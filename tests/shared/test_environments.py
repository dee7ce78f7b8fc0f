"""Tests which Pythons and builds of PyTorch an installation looks for, and that any Python can ask."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared import environments

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("build", "system", "index", "expected"),
    [
        ("cpu", "Linux", "", ["--index-url", "https://download.pytorch.org/whl/cpu", "torch==2.13.0+cpu"]),
        ("cuda", "Linux", "", ["torch===2.13.0"]),
        ("cpu", "Linux", "pip", ["torch==2.13.0"]),
        ("cpu", "Linux", "https://studio/torch", ["--index-url", "https://studio/torch", "torch==2.13.0+cpu"]),
        ("cpu", "Darwin", "https://studio/torch", ["--index-url", "https://studio/torch", "torch==2.13.0"]),
    ],
)
def test_the_index_of_pytorch_can_be_another(monkeypatch, build, system, index, expected):
    assert environments.torch_arguments(build, system, "2.13.0", index) == expected
    monkeypatch.setenv(environments.TORCH_INDEX_VARIABLE, index)
    assert environments.torch_arguments(build, system, "2.13.0") == expected


def test_pythons_off_the_path_are_found_too(monkeypatch, tmp_path):
    """A program that is started from a desktop has a short PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for place in ("versions/3.11.7/bin/python", "versions/3.13.0/bin/python", "versions/3.9.1/bin/python"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).touch(0o755)
    found = environments.python_candidates(environment={"PYENV_ROOT": str(tmp_path)})
    assert found[:2] == [[str(tmp_path / "versions" / name / "bin/python")] for name in ("3.11.7", "3.13.0")]
    (tmp_path / "python3.12").touch(0o755)
    assert environments.python_candidates(environment={"PYENV_ROOT": str(tmp_path)})[0] == ["python3.12"]


def test_the_places_of_windows(tmp_path):
    python = tmp_path / "Programs" / "Python" / "Python312" / "python.exe"
    python.parent.mkdir(parents=True)
    python.touch()
    given = {"LOCALAPPDATA": str(tmp_path), "PYENV_ROOT": str(tmp_path)}
    assert environments.python_candidates(environment=given, system="win32")[-1] == [str(python)]


def test_it_needs_the_standard_library_alone():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import shared.environments; print('msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
