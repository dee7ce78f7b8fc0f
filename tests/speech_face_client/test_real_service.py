"""Tests the library against the real service: several jobs, cancels, restarts in the middle, rigs, its state."""

import itertools
import os
import signal
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backend_server.chaos.light_cascade import PAUSE_VARIABLE, SIDE_VARIABLE, WAITS
from backend_server.rig.conversion import rig_weights
from shared.arkit import SHAPES
from shared.errors import SoundError
from shared.rig.mapping import Channel, RigMapping, Source
from shared.rig.mapping_file import save_mapping
from shared.rig.presets import open_preset
from speech_face_client import Backend, LandmarkCurves, Progress, SpeechFaceError, TextureFrames

ROOT = Path(__file__).resolve().parents[2]
SPEECH_FILE = ROOT / "backend_server" / "samples" / "speech.wav"
PHOTO = np.full((64, 64, 3), 90, np.uint8)
SMALL = {SIDE_VARIABLE: "16"}


LIGHT_SERVE = """
import functools
from backend_server.chaos.light_cascade import CASCADE
from backend_server.service import server
server.ServiceSettings = functools.partial(server.ServiceSettings, cascade=CASCADE, spare_bytes=0)
from backend_server.__main__ import app
app()
"""


@pytest.fixture
def light_python(tmp_path):
    """A "Python" that serves a light cascade, whatever module it is asked for."""
    launch = tmp_path / "launch.py"
    launch.write_text(LIGHT_SERVE)
    script = tmp_path / "light_python"
    pause = f'{PAUSE_VARIABLE}=0.3 {SIDE_VARIABLE}=16 PYTHONPATH="{ROOT}"'
    script.write_text(f'#!/bin/sh\nshift 2\n{pause} exec "{sys.executable}" "{launch}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


@pytest.fixture
def backend(server):
    with Backend.connect(server.connection_file, name="a pipeline") as connected:
        yield connected


def test_several_jobs_run_from_one_connection(backend, speech):
    identity = backend.adapt([PHOTO], epochs=2)
    assert backend.adapt([PHOTO], epochs=2).is_cached
    jobs = [backend.animate(speech, sample_rate=16_000, identity=identity, seed=seed) for seed in range(3)]
    made = [job.result(60) for job in reversed(jobs)]
    assert [result.frames.shape for result in made] == [(100, 64, 64, 4)] * 3
    assert len({result.frames[0].tobytes() for result in made}) == 3
    seen = {type(event).__name__ for event in backend.animate(speech, sample_rate=16_000)}
    assert seen == {"Accepted", "Progress", "LandmarkCurves", "Done"}


def test_a_running_job_ends_within_half_a_second(backend, server, speech):
    job = backend.animate(speech, sample_rate=16_000, seed=WAITS)
    for event in job:
        if isinstance(event, Progress):
            break
    (running,) = backend.jobs()
    assert (running.id, running.state, running.owner) == (job.id, "running", "a pipeline")
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 1.0
    assert list(job) == []
    assert job.id in {ended.id for ended in backend.jobs(are_ended=True)}
    report = backend.status()
    assert (report.pid, report.queue_length, report.jobs.cancelled) == (server.pid, 0, 1)


def test_the_backends_sentence_comes_as_its_error(backend, speech):
    with pytest.raises(SoundError, match="the sound is silent; choose another strip"):
        backend.animate(speech, sample_rate=16_000, seed=2**32 - 1).result(60)


def test_curves_of_rigs_are_those_of_the_mapping(backend, speech, tmp_path):
    own = RigMapping(name="mine", channels=(Channel("Mund", (Source("jawOpen", 0.5),)), Channel("舌", most=0.5)))
    save_mapping(own, tmp_path / "mine.json")
    plain = backend.animate(speech, sample_rate=16_000, rig="arkit").result(60)
    assert plain.rig.names == SHAPES
    for rig, mapping in (("oculus", open_preset("oculus")), (own, own), (tmp_path / "mine.json", own)):
        made = backend.animate(speech, sample_rate=16_000, rig=rig).result(60)
        assert made.rig.names == tuple(channel.name for channel in mapping.channels)
        expected = rig_weights(mapping, plain.rig.weights, plain.curves.frame_times)
        np.testing.assert_allclose(made.rig.weights, expected, atol=1e-6)
        assert made.rig.residual is None


@pytest.mark.slow
def test_a_backend_killed_in_the_middle_loses_nothing(new_server, speech):
    server = new_server(**{**SMALL, PAUSE_VARIABLE: "0.1"})
    with Backend.connect(server.connection_file) as backend:
        identity = backend.adapt([PHOTO], epochs=0)
        first = backend.animate(speech, sample_rate=16_000, identity=identity, rig="vrm", seed=1)
        second = backend.animate(speech, sample_rate=16_000, identity=identity, rig="vrm", seed=2)
        frames = []
        for event in first:
            if isinstance(event, TextureFrames):
                frames.append(event.frames)
                if len(frames) == 2:
                    server.kill()
                    server.connection_file.unlink(missing_ok=True)
                    server.start()
        other = second.result(60)
        again = backend.animate(speech, sample_rate=16_000, identity=identity, rig="vrm", seed=1).result(60)
    np.testing.assert_array_equal(np.concatenate(frames), again.frames)
    assert other.frames.shape == again.frames.shape
    assert other.rig.names == again.rig.names


@pytest.mark.slow
def test_results_wait_at_the_backend_until_there_is_room(new_server, speech, monkeypatch):
    monkeypatch.setattr("speech_face_client.job.MOST_WAITING_BYTES", 1)
    server = new_server(**SMALL)
    with Backend.connect(server.connection_file) as backend:
        identity = backend.adapt([PHOTO], epochs=0)
        jobs = [backend.animate(speech, sample_rate=16_000, identity=identity, seed=seed) for seed in (1, 1)]
        last = jobs[1].result(60)
        assert jobs[0]._waiting_bytes == last.frames[:16].nbytes
        np.testing.assert_array_equal(jobs[0].result(60).frames, last.frames)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the light backend is started by a shell script")
def test_a_backend_that_ends_is_started_again_and_the_job_goes_on(light_python, speech, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECH_FACE_CONNECTION_FILE", str(tmp_path / "run" / "connection.json"))
    with Backend.start(light_python, folder=ROOT, device="cpu", data_folder=tmp_path / "data") as backend:
        first = backend.status().pid
        identity = backend.adapt([PHOTO], epochs=0)
        job = backend.animate(speech, sample_rate=16_000, identity=identity, rig="vrm")
        assert any(isinstance(event, TextureFrames) for event in itertools.islice(job, 50))
        os.kill(first, signal.SIGKILL)
        frames = [event.frames for event in job if isinstance(event, TextureFrames)]
        assert sum(map(len, frames)) >= 100 - 16
        assert job.result().rig.weights.shape[0] == 100
        assert backend.status().pid != first
        last = backend._process
    assert last.pid is None
    assert not last.connection_file.exists()


@pytest.mark.slow
def test_the_real_cascade_moves_a_rig_as_it_moves_the_mouth(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECH_FACE_CONNECTION_FILE", str(tmp_path / "run" / "connection.json"))
    with Backend.start(device="cpu", data_folder=tmp_path / "data", timeout=250, patience=200) as backend:
        made = backend.animate(SPEECH_FILE, rig="arkit", frame_rate=30).result(250)
    jaw = made.rig.weights[:, made.rig.names.index("jawOpen")]
    mouth = made.curves.canonical[:, 66, 1] - made.curves.canonical[:, 62, 1]
    assert np.ptp(jaw) > 0.1
    assert np.corrcoef(jaw, mouth)[0, 1] > 0.7


def test_a_python_without_the_backend_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECH_FACE_CONNECTION_FILE", str(tmp_path / "run" / "connection.json"))
    with pytest.raises(SpeechFaceError, match="cannot be started"):
        Backend.start(tmp_path / "none")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SpeechFaceError, match="not installed in this Python"):
        Backend.start()


def test_curves_come_before_the_first_picture(backend, speech):
    identity = backend.adapt([PHOTO], epochs=0)
    kinds = [type(e) for e in backend.animate(speech, sample_rate=16_000, identity=identity)]
    assert kinds.index(LandmarkCurves) < kinds.index(TextureFrames)


def test_changed_curves_are_drawn_again(backend, speech):
    identity = backend.adapt([PHOTO], epochs=0)
    curves = backend.animate(speech, sample_rate=16_000, identity=identity, wants_texture=False).result(60).curves
    whole = backend.render(curves.landmarks, identity).result(60)
    part = backend.render(curves.landmarks[20:60], identity.id)
    frames = [event.frames for event in part if isinstance(event, TextureFrames)]
    assert whole.frames.shape == (100, 64, 64, 4)
    np.testing.assert_array_equal(np.concatenate(frames), whole.frames[20:60])
    assert part.result().frames is None  # handed out
    with pytest.raises(SpeechFaceError, match=r"landmark 8 \(jaw_08\) of frame 1 has no place"):
        spoilt = curves.landmarks[:3].copy()
        spoilt[1, 8] = np.nan
        backend.render(spoilt, identity)
    with pytest.raises(SpeechFaceError, match="expected landmarks of shape"):
        backend.render(curves.landmarks[0], identity)
