"""Runs the command line as a user does, in the test's process."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from backend_server.__main__ import app


@pytest.fixture(autouse=True)
def data_folder(tmp_path_factory, monkeypatch) -> Path:
    """A data folder of the test's own, where faces are kept."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("SPEECH_FACE_DATA", str(folder))
    return folder


@pytest.fixture
def run_command():
    """Runs `python -m backend_server ARGS` and gives the result with exit_code, stdout and stderr."""
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def sound(tmp_path: Path):
    """Makes sound files: a function of name, samples (S,) or (S, channels), and sample rate."""

    def make(name: str, samples: np.ndarray, sample_rate: int) -> Path:
        path = tmp_path / name
        soundfile.write(path, samples, sample_rate)
        return path

    return make


@pytest.fixture
def sample_samples() -> np.ndarray:
    """One and a half seconds of the shipped speech sample, 16 kHz."""
    from backend_server.commands.animate import SAMPLE_SPEECH

    return soundfile.read(SAMPLE_SPEECH, dtype="float32")[0][:24_000]
