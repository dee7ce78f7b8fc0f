"""Tests that a backend which ends in the middle of a generation is started again, and that the job goes on."""

import os
import signal
import stat
import time
from dataclasses import replace
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
def other_settings(settings, tmp_path):
    """Those of a second Blender, whose backend would use the same data folder."""
    return replace(settings, data_folder=tmp_path / "other addon")


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
    run.until(lambda: session.backend.pid not in (None, first))
    from_first = run.job.frame_count
    run.until(lambda: run.job.frame_count > from_first)  # so the second has served
    assert run.job.frame_count < FRAMES
    kill(session)
    run.check_complete()
    log = session.backend.log_file.read_text()
    assert log.count("The backend is started again: it ended with code -9 (") == 2


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
    assert "is started again" not in session.backend.log_file.read_text()


def jobs_of(session, settings, until):
    """How many jobs of each state the backend keeps, asked through the session's connection."""
    from blender_addon._shared import protocol

    client = session.connect(settings)
    until(lambda: client.poll() or client.is_ready)
    client.send(protocol.Status())
    reports = []

    def has_report():
        reports.extend(message for message in client.poll() if isinstance(message, protocol.StatusReport))
        return reports

    until(has_report)
    return reports[0].jobs


def test_a_job_cancelled_while_its_backend_restarts_does_not_stay(open_session, settings, until):
    session = open_session()
    run = Run(session, settings)
    run.until(lambda: run.job.stage == "speech" or run.job.frame_count)
    kill(session)
    run.until(lambda: not session.client.is_ready)
    run.job.cancel()
    run.job.tick()
    assert run.job.state == "cancelled"
    until(lambda: session.poll_idle() or not session.client.has_open_cancels)
    assert jobs_of(session, settings, until).by_state == {"arriving": 0, "queued": 0, "running": 0, "ended": 2}


def test_a_cancel_goes_to_the_backend_that_is_started_for_the_next_job(open_session, settings, until):
    session = open_session()
    run = Run(session, settings)
    run.until(lambda: run.job.stage == "speech" or run.job.frame_count)
    kill(session)
    until(lambda: not session.is_connected)
    run.job.cancel()
    run.job.tick()
    Run(session, settings, frames=9).check_complete()
    jobs = jobs_of(session, settings, until)
    assert (jobs.by_state["queued"], jobs.by_state["running"], jobs.cancelled) == (0, 0, 1)


def test_a_job_that_is_cancelled_as_blender_quits_does_not_wait_for_the_next_backend(open_session, settings, until):
    session = open_session()
    run = Run(session, settings)
    run.until(lambda: run.job.stage == "speech" or run.job.frame_count)
    run.job.cancel()
    run.job.tick()
    session.close()
    assert jobs_of(open_session(), settings, until).by_state == {"arriving": 0, "queued": 0, "running": 0, "ended": 2}


def both(first, second):
    """Runs two jobs side by side to their ends."""
    deadline = time.monotonic() + 60
    while not (first.job.is_over and second.job.is_over):
        first.job.tick()
        second.job.tick()
        assert time.monotonic() < deadline, "the deadline has passed"
        first.job._client.wait(0.01)
    first.check_complete()
    second.check_complete()


def test_two_blenders_share_one_backend_and_each_gets_its_answers(open_session, settings, other_settings):
    owner, guest = open_session(), open_session()
    first = Run(owner, settings)
    first.until(lambda: owner.client.is_ready)
    second = Run(guest, other_settings, frames=30)
    both(first, second)
    assert guest.is_sharing
    assert guest.status == f"{owner.status}, shared"
    assert guest.is_connected
    assert guest.backend.pid is None
    running = owner.backend.pid
    guest.close()  # as Stop does
    assert guest.status == "Not running"
    Run(owner, settings, frames=9).check_complete()
    assert owner.backend.pid == running


def test_complaint_2_a_second_blender_with_another_data_folder_runs_its_own_backend(
    open_session, settings, preferences, tmp_path
):
    import bpy

    from blender_addon.preferences import settings as of_preferences

    preferences.data_folder = str(tmp_path / "another disk")
    chosen = of_preferences(bpy.context)
    apart = replace(settings, data_folder=chosen.data_folder, backend_data=chosen.backend_data)
    first, second, third = open_session(), open_session(), open_session()
    both(Run(first, settings, frames=20), Run(second, apart, frames=20))
    assert (first.is_sharing, second.is_sharing) == (False, False)
    assert first.backend.pid != second.backend.pid
    Run(third, replace(apart, data_folder=tmp_path / "third"), frames=9).check_complete()  # the data of the second
    assert third.is_sharing


def test_blenders_that_start_at_once_share_one_backend(open_session, settings, other_settings):
    sessions = open_session(), open_session()
    both(Run(sessions[0], settings, frames=20), Run(sessions[1], other_settings, frames=20))
    assert sorted(session.is_sharing for session in sessions) == [False, True]


def test_a_job_goes_on_when_the_blender_that_owned_the_backend_closes(open_session, settings, other_settings):
    owner, guest = open_session(), open_session()
    owner.connect(settings)
    deadline = time.monotonic() + 60
    while not owner.client.is_ready:
        owner.poll_idle()
        assert time.monotonic() < deadline
    run = Run(guest, other_settings, frames=100)
    run.until(lambda: run.job.frame_count > 0)
    assert guest.is_sharing
    owner.close()
    assert run.job.frame_count < 100
    run.check_complete()
    assert not guest.is_sharing
    assert guest.backend.is_running
    assert "the backend that it shared does not answer" in guest.backend.log_file.read_text()


def test_both_jobs_go_on_when_the_shared_backend_is_killed(open_session, settings, other_settings):
    owner, guest = open_session(), open_session()
    first = Run(owner, settings)
    first.until(lambda: owner.client.is_ready)
    second = Run(guest, other_settings)
    second.until(lambda: guest.client.is_ready)
    kill(owner)
    both(first, second)
    assert sorted(session.is_sharing for session in (owner, guest)) == [False, True]


def test_a_guest_without_a_job_says_that_no_backend_runs_any_more(open_session, settings, other_settings):
    owner, guest = open_session(), open_session()
    deadline = time.monotonic() + 60
    for session, chosen in ((owner, settings), (guest, other_settings)):
        session.connect(chosen)
        while not session.client.is_ready:
            session.poll_idle()
            assert time.monotonic() < deadline
    owner.close()
    while guest.is_connected:
        guest.poll_idle()
        assert time.monotonic() < deadline
    assert guest.status == "Not running"
    assert guest.problem == ""
    Run(guest, other_settings, frames=9).check_complete()
