"""Many short lines, cut out of the shipped speech, and what a batch made of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend_server.commands.animate import SAMPLE_SPEECH

ROOT = Path(__file__).parents[3]
LINE_SECONDS = 0.6


@pytest.fixture(scope="session")
def speech():
    """The shipped sample, 16 kHz."""
    return soundfile.read(SAMPLE_SPEECH, dtype="float32")[0]


@pytest.fixture
def manifest(tmp_path, speech):
    """Writes a manifest of so many lines, each with another piece of the speech, and returns its path."""

    def make(count, seconds=LINE_SECONDS, outputs="curves arkit"):
        length, rows = int(seconds * 16_000), ["id,audio,outputs"]
        (tmp_path / "vo").mkdir(exist_ok=True)
        for number, first in enumerate(np.linspace(0, len(speech) - length, count).astype(int)):
            soundfile.write(tmp_path / "vo" / f"{number}.wav", speech[first : first + length], 16_000)
            rows.append(f"line_{number:03d},vo/{number}.wav,{outputs}")
        (tmp_path / "lines.csv").write_text("\n".join(rows))
        return tmp_path / "lines.csv"

    return make


@pytest.fixture
def start_batch(tmp_path):
    """Starts `python -m backend_server batch ARGS` as a process of its own; whatever runs at the end is killed."""
    started = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPEECH_FACE_DATA": str(tmp_path / "data")}

    def start(*args):
        command = [sys.executable, "-m", "backend_server", "batch", *map(str, args)]
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def tree_of():
    """The content of every file of an output folder, but for what the batch itself needs."""

    def read(out):
        files = [path for path in out.rglob("*") if path.is_file() and ".batch" not in path.parts]
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}

    return read
