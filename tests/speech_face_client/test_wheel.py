"""Tests the wheel of the library alone: what is in it, and that it works where nothing of the repository is."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

import build_client

ROOT = Path(__file__).resolve().parents[2]
USE = """
import sys
sys.path[:0] = sys.argv[2:]
import speech_face_client
from speech_face_client import Backend
with Backend.connect(sys.argv[1]) as backend:
    made = backend.animate([0.1] * 16000, sample_rate=16000, rig="arkit").result(60)
    print(made.rig.weights.shape, backend.status().state)
print(sorted({"torch", "scipy", "shared", "backend_server"} & set(sys.modules)), speech_face_client.__file__)
"""


@pytest.mark.slow
def test_the_wheel_works_without_the_repository_and_without_torch(server, tmp_path):
    wheel = build_client.build_client(tmp_path / "dist")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"speech_face_client"}  # a top-level `shared` would be in other programs' way
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "shared").rglob("*.py")}
    assert {f"speech_face_client/{name}" for name in sources} <= set(names)
    assert "speech_face_client/shared/rig/presets/arkit.json" in names
    libraries = {Path(module.__file__).parents[1] for module in (np, zmq, msgspec)}  # the environment, without its .pth
    command = [sys.executable, "-I", "-S", "-c", USE, server.connection_file, tmp_path / "installed", *libraries]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "(25, 52) ready"
    assert done.stdout.splitlines()[1].startswith(f"[] {tmp_path / 'installed'}")


def test_library_and_product_have_one_version():
    own, whole = (
        tomllib.loads((ROOT / path).read_text("utf-8"))["project"]
        for path in ("speech_face_client/pyproject.toml", "pyproject.toml")
    )
    assert own["version"] == whole["version"]
    assert own["license"] == whole["license"]
