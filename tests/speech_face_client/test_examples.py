"""Tests that the examples run as they stand, against the real service."""

import json
import os
import signal
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from backend_server.chaos.light_cascade import PAUSE_VARIABLE
from shared.arkit import SHAPES
from speech_face_client import Backend

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PIPELINE = EXAMPLES / "pipeline.py"


@pytest.fixture
def lines(write_wave, speech):
    """A folder of three lines, one of which is no sound."""
    for name in ("a", "b"):
        folder = write_wave(speech[:32_000], f"lines/{name}.wav").parent
    (folder / "broken.wav").write_text("a text")
    return folder


def test_the_pipeline_writes_curves_of_each_line_and_says_what_failed(server, lines, run_python):
    process = run_python(PIPELINE, lines, "--out", "curves", "--rig", "arkit", connection_file=server.connection_file)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "3/3 b.wav" in out
    assert "broken.wav" in errors
    assert "cannot be read" in errors
    for name in ("a", "b"):
        document = json.loads((lines.parent / "curves" / f"{name}.json").read_text("utf-8"))
        assert tuple(document["curves"]) == SHAPES
        assert document["frame_rate"] == 30
        values = np.array(list(document["curves"].values()))
        assert values.shape == (52, 60)
        assert 0 <= values.min() < values.max() <= 1
    again = run_python(PIPELINE, lines, "--out", "curves", connection_file=server.connection_file)
    assert "a.wav" not in again.communicate(timeout=120)[0]  # it is there already


def test_the_pipeline_without_a_backend_says_so(lines, run_python, tmp_path):
    process = run_python(PIPELINE, lines, "--out", "curves", connection_file=tmp_path / "none.json")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "there is no connection file" in errors


@pytest.mark.skipif(os.name == "nt", reason="a signal to one process alone is another thing there")
def test_ctrl_c_cancels_what_is_at_the_backend(new_server, write_wave, speech, run_python, until):
    server = new_server(**{PAUSE_VARIABLE: "30"})
    for name in "abc":
        folder = write_wave(speech, f"lines/{name}.wav").parent
    process = run_python(PIPELINE, folder, "--out", "curves", connection_file=server.connection_file)
    with Backend.connect(server.connection_file) as backend:
        until(lambda: len(backend.jobs()) == 3 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "stopped" in errors
        assert "Traceback" not in errors
        until(lambda: not backend.jobs())
        assert backend.status().jobs.cancelled == 3
    assert list((folder.parent / "curves").glob("*.part")) == []


def notebook():
    return json.loads((EXAMPLES / "curves.ipynb").read_text("utf-8"))


def test_the_notebook_plots_curves(server, write_wave, speech, monkeypatch):
    monkeypatch.setenv("SPEECH_FACE_CONNECTION_FILE", str(server.connection_file))
    monkeypatch.setenv("SPEECH", str(write_wave(speech)))
    monkeypatch.setattr(plt, "show", lambda: None)
    mpl.use("Agg")
    scope = {}
    try:
        for number, cell in enumerate(cell for cell in notebook()["cells"] if cell["cell_type"] == "code"):
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), scope)
        drawn = [plt.figure(number) for number in plt.get_fignums()]
        assert [len(figure.axes) for figure in drawn] == [2, 1]
        assert len(drawn[0].axes[0].lines[0].get_xdata()) == 240
        assert len(drawn[0].axes[1].lines) == 6
    finally:
        plt.close("all")


def test_the_notebook_is_kept_without_outputs():
    cells = [cell for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
