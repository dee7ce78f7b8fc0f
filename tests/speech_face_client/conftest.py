"""Holds what the client library's tests share: a backend that answers at once, and the real service."""

import os
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from backend_server.chaos.server import ChaosServer
from speech_face_client import Backend

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.speech_face_fake_backend import FakeBackend  # noqa: E402 (the checkout is on the path now)


@pytest.fixture(scope="session")
def until():
    """Waits until something is true, by asking again and again."""

    def wait(is_true, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not is_true():
            assert time.monotonic() < deadline, "the deadline has passed"
            time.sleep(0.001)  # polling

    return wait


@pytest.fixture
def fake(tmp_path):
    """A backend that answers at once, for what the message flow alone decides."""
    backend = FakeBackend(tmp_path)
    yield backend
    backend.close()


@pytest.fixture
def backend(fake):
    """A connection to the fake backend."""
    with Backend.connect(fake.connection_file) as connected:
        yield connected


@pytest.fixture
def new_server(tmp_path):
    """Starts real services with a light cascade; ended after the test."""
    servers = []

    def start(**variables):
        servers.append(ChaosServer(tmp_path / f"server{len(servers)}", variables=variables))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One real service with a light cascade for the whole module."""
    with ChaosServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def speech():
    """Four seconds of a tone: (S,) floats at 16 kHz."""
    return (0.3 * np.sin(np.arange(64_000) / 9)).astype(np.float32)


@pytest.fixture
def write_wave(tmp_path):
    """Writes a WAV of whole numbers, (S,) or (S, channels)."""

    def write(values, name="speech.wav", width=2, rate=16_000):
        values = np.asarray(values)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = np.round(values * (2 ** (8 * width - 1) - 1)).astype("<i4")
        whole = whole + 128 if width == 1 else whole
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1 if values.ndim == 1 else values.shape[1])
            file.setsampwidth(width)
            file.setframerate(rate)
            file.writeframes(np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, :width].tobytes())
        return path

    return write


@pytest.fixture
def run_python(tmp_path):
    """Runs Python in a folder of its own, as a user's program runs."""

    def run(*arguments, connection_file, **options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPEECH_FACE_CONNECTION_FILE": str(connection_file)}
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return run
