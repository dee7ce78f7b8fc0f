"""Tests that a backend which ends in the middle of a generation is started again, and that the job goes on."""

import os
import signal
import stat
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
CRAWLS, FRAMES = 9, 60

LIGHT_SERVE = """
import functools
from backend_server.service import server
server.ServiceSettings = functools.partial(
    server.ServiceSettings, cascade="speech_face_addon_cascade:Cascade", spare_bytes=0
)
from backend_server.__main__ import app
app()
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON"),
    pytest.mark.skipif(os.name == "nt", reason="the light backend is started by a shell script"),
]


@pytest.fixture
def light_python(tmp_path):
    """A "Python" that serves a cascade of known numbers, whatever module it is asked for."""
    launch = tmp_path / "launch.py"
    launch.write_text(LIGHT_SERVE)
    script = tmp_path / "light_python"
    paths = os.pathsep.join((str(ROOT), str(HERE)))
    script.write_text(f'#!/bin/sh\nshift 2\nPYTHONPATH="{paths}" exec "{PYTHON}" "{launch}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


@pytest.fixture
def settings(light_python, tmp_path, monkeypatch):
    from blender_addon.preferences import BackendSettings

    monkeypatch.setenv("SPEECH_FACE_DATA", str(tmp_path / "service"))
    return BackendSettings(str(light_python), str(ROOT), "", "cpu", tmp_path / "addon")


@pytest.fixture
def open_session(addon):
    """Makes sessions as separate Blenders have them, closed after the test."""
    from blender_addon.session import Session

    opened = []

    def open_one():
        opened.append(Session())
        return opened[-1]

    yield open_one
    for session in reversed(opened):
        session.close()


class Run:
    """One generation through a session, with all that it gave."""

    def __init__(self, session, settings, frames=FRAMES):
        from blender_addon import job

        self.pictures = []
        speech = np.sin(np.arange(round(frames / 25 * 16_000)) / 9).astype(np.float32)
        request = job.JobRequest(
            speech=speech,
            sample_rate=16_000,
            frame_times=np.arange(frames) / 25,
            images=(np.full((64, 64, 3), 90, np.uint8),),
            names=("photo.png",),
            epochs=2,
            seed=CRAWLS,
        )
        self.job = job.AnimationJob(request, session.connect(settings), self.take, session.keep_backend)

    def take(self, frames):
        self.pictures += [frame.copy() for frame in frames]

    def until(self, is_true, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not is_true():
            self.job.tick()
            assert not self.job.is_over, self.job.error
            assert time.monotonic() < deadline, "the deadline has passed"
            self.job._client.wait(0.01)

    def check_complete(self):
        self.job.run_until_done(timeout=60)
        assert self.job.error is None
        assert self.job.state == "done"
        moved = self.job.curves.landmarks[:, 0, 1] - self.job.curves.neutral[0, 1]
        np.testing.assert_allclose(moved, 0.5 * np.arange(len(self.job.request.frame_times)), atol=1e-3)
        assert [int(picture[0, 0, 0]) for picture in self.pictures] == list(range(len(self.pictures)))
        assert len(self.pictures) == len(self.job.request.frame_times)


def kill(session):
    os.kill(session.backend.pid, signal.SIGKILL)


def test_a_backend_killed_twice_in_a_job_is_started_again_and_the_job_goes_on(open_session, settings):
    session = open_session()
    run = Run(session, settings)
    run.until(lambda: run.job.stage == "speech" or run.job.frame_count)
    first = session.backend.pid
    kill(session)
    run.until(lambda: run.job.frame_count > 0)
    assert session.backend.pid != first
    assert run.job.frame_count < FRAMES
    kill(session)
    run.check_complete()
    log = session.backend.log_file.read_text()
    assert log.count("The add-on starts the backend again: it ended with code -9 (") == 2


def test_a_backend_that_ends_by_itself_is_started_again_while_the_face_is_learnt(open_session, settings):
    session = open_session()
    run = Run(session, settings)
    run.until(lambda: session.client.is_ready)
    os.kill(session.backend.pid, signal.SIGTERM)  # it removes its connection file
    run.check_complete()


def test_a_third_end_fails_the_job_with_the_place_of_the_log(open_session, settings):
    session = open_session()
    run = Run(session, settings, frames=200)
    for _ in range(2):
        run.until(lambda: session.client.is_ready)
        kill(session)
        run.until(lambda: not session.client.is_ready)
    run.until(lambda: session.client.is_ready)
    kill(session)
    run.job.run_until_done(timeout=30)
    assert "was started again 2 times and still ended with code -9" in run.job.error.sentence
    assert run.job.error.sentence.endswith(f"its log is {session.backend.log_file}")
    again = Run(session, settings)  # another generation begins to count anew
    again.check_complete()


def test_a_backend_that_cannot_start_fails_at_once_with_its_reason(open_session, settings, monkeypatch, tmp_path):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("SPEECH_FACE_DATA", str(tmp_path / "a file"))
    session = open_session()
    run = Run(session, settings)
    run.job.run_until_done(timeout=30)
    assert "the backend ended with code" in run.job.error.sentence
    assert "a file" in run.job.error.sentence
    assert "starts the backend again" not in session.backend.log_file.read_text()
