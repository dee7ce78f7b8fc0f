"""Tests what the doctor says about good and damaged installations."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from backend_server import doctor
from backend_server.doctor import State
from shared.endpoint import ENVIRONMENT_VARIABLE
from shared.protocol import PROTOCOL_VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_this_installation_is_diagnosed(tmp_path):
    findings = {finding.name: finding for finding in doctor.diagnose(tmp_path)}
    for name in ("Python", "Libraries", "PyTorch", "Face detector", "Disk"):
        assert findings[name].state is not State.FAIL, findings[name]
    assert "torch" not in findings["PyTorch"].advice or findings["PyTorch"].state is State.WARN
    assert {f"Weights: {stage}" for stage in doctor.STAGES} <= set(findings)
    for finding in findings.values():
        assert finding.what
        assert finding.state is State.OK or finding.advice, finding


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10), State.FAIL), ((3, 11), State.OK), ((3, 13), State.OK), ((3, 14), State.FAIL)],
)
def test_only_some_pythons_will_do(version, state):
    assert doctor.python_finding(version).state is state


def test_a_missing_library_is_named():
    finding = doctor.libraries_finding(("numpy", "no_such_library"))
    assert finding.state is State.FAIL
    assert finding.what == "missing: no_such_library"
    assert "build.py" in finding.advice


def test_an_optional_library_only_warns():
    assert doctor.optional_finding("x", "no_such_library", "for y").state is State.WARN
    assert doctor.is_healthy([doctor.optional_finding("x", "no_such_library", "for y")])


def test_weights_missing_damaged_and_good(tmp_path):
    missing = doctor.weights_finding(tmp_path, "blink")
    (tmp_path / "motion.safetensors").write_bytes(b"not weights")
    damaged = doctor.weights_finding(tmp_path, "motion")
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "speech.safetensors")
    good = doctor.weights_finding(tmp_path, "speech")
    assert (missing.state, damaged.state, good.state) == (State.FAIL, State.FAIL, State.OK)
    assert "missing" in missing.what
    assert "cannot be read" in damaged.what
    assert re.search(r"1 tensors, .* sha256 [0-9a-f]{12}$", good.what)
    assert not doctor.is_healthy([good, damaged])


def test_an_own_acoustic_model_in_place_of_ours(tmp_path, monkeypatch):
    (tmp_path / "speech.onnx").write_bytes(b"a model")
    alone = doctor.weights_finding(tmp_path, "speech")
    assert alone.state is State.OK
    assert re.match(r"your own speech.onnx, .* sha256 [0-9a-f]{12}$", alone.what)
    find_spec = doctor.importlib.util.find_spec
    monkeypatch.setattr(
        doctor.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
    )
    unheard = doctor.weights_finding(tmp_path, "speech")
    assert unheard.state is State.FAIL
    assert "speech-face[onnx]" in unheard.advice
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "speech.safetensors")
    both = doctor.weights_finding(tmp_path, "speech")
    assert both.state is State.FAIL
    assert "keep the one" in both.advice


@pytest.mark.parametrize(("free", "state"), [(1e8, State.FAIL), (1e9, State.WARN), (1e10, State.OK)])
def test_disk(monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free}))
    assert doctor.disk_finding(tmp_path).state is state


def test_connection_file_absent_damaged_left_over_and_live(monkeypatch, tmp_path):
    path = tmp_path / "connection.json"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(path))
    assert doctor.backend_finding().state is State.OK

    path.write_text("{")
    path.chmod(0o600)
    damaged = doctor.backend_finding()
    assert damaged.state is State.WARN
    assert str(path) in damaged.advice

    key = "x" * 40
    content = {
        "address": "tcp://127.0.0.1:49152",
        "server_public_key": key,
        "client_public_key": key,
        "client_secret_key": key,
        "version": PROTOCOL_VERSION,
    }
    path.write_text(json.dumps({**content, "pid": 2**22 + 1}))  # above Linux' largest process id
    assert doctor.backend_finding().state is State.WARN
    path.write_text(json.dumps({**content, "pid": os.getpid()}))
    assert doctor.backend_finding().state is State.OK


def test_the_command_prints_json_for_programs():
    command = [sys.executable, "-m", "backend_server", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    report = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert report["healthy"] is (done.returncode == 0)
    assert report["devices"][-1] == "cpu"
    assert {"Python", "Libraries", "PyTorch", "Disk"} <= {finding["name"] for finding in report["findings"]}
    assert {finding["state"] for finding in report["findings"]} <= set(State)
    assert set(report["findings"][0]) == {"name", "state", "what", "advice"}


def test_the_command_fails_only_when_something_needed_is_missing(monkeypatch):
    from backend_server.commands import findings

    good = doctor.Finding("a", State.OK, "b")
    bad = doctor.Finding("c", State.FAIL, "d [not markup]", "e")
    monkeypatch.setattr(findings, "diagnose", lambda: [good])
    assert findings.as_table()[1]
    monkeypatch.setattr(findings, "diagnose", lambda: [good, bad])
    table, healthy = findings.as_table()
    assert not healthy
    assert table.row_count == 2
