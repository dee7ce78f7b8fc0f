"""Tests that an hour of sound and twenty photos go through the add-on's client and the real service."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
LAUNCH = """
import sys
from pathlib import Path
from backend_server.service.server import serve_with
from backend_server.service.settings import ServiceSettings
serve_with(ServiceSettings(
    connection_file=Path(sys.argv[1]), data_dir=Path(sys.argv[2]), spare_bytes=0,
    cascade="speech_face_addon_cascade:Cascade",
))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON"),
]


class Service:
    """The real service with a cascade of known numbers; it can be killed and started again."""

    def __init__(self, folder, until):
        self._until = until
        self.connection_file = folder / "run" / "connection.json"
        self._data = folder / "service"
        self.process = None
        self.start()

    def start(self):
        self.connection_file.unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE)))}
        self.process = subprocess.Popen(
            [str(PYTHON), "-c", LAUNCH, str(self.connection_file), str(self._data)], env=environment, cwd=ROOT
        )
        self._until(lambda: self.connection_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def service(tmp_path, until):
    service = Service(tmp_path, until)
    yield service
    service.process.terminate()
    service.process.wait(20)


@pytest.fixture
def client(addon, service):
    from blender_addon._shared import endpoint
    from blender_addon.client import Client

    client = Client(lambda: endpoint.read_connection_file(service.connection_file))
    yield client
    client.close()


def watch(job, client, seconds):
    """Ticks as a window does; returns the steps that were shown in each stage, and in which the connection broke."""
    shown, broken_in = {}, set()
    deadline = time.monotonic() + seconds
    while not job.is_over:
        assert time.monotonic() < deadline, f"the deadline has passed in {job.stage} {job.step}/{job.steps}"
        stage, was_ready = job.stage, client.is_ready
        job.tick()
        client.wait(0.02)
        shown.setdefault(job.stage, set()).add((job.step, job.steps))
        if was_ready and not client.is_ready:
            broken_in.add(stage)
    return shown, broken_in


def test_an_hour_of_sound_at_48_kilohertz_and_its_curves(client):
    from blender_addon._shared import following
    from blender_addon.job import AnimationJob, JobRequest, JobState

    count = 3600 * 25
    speech = np.random.default_rng(0).random(3600 * 48_000, np.float32)
    request = JobRequest(speech=speech, sample_rate=48_000, frame_times=np.arange(count) / 25, wants_texture=False)
    job = AnimationJob(request, client, list.append)
    shown, broken_in = watch(job, client, 400)
    assert job.error is None
    assert job.state is JobState.DONE
    assert job.curves.landmarks.shape == (count, 68, 2)
    np.testing.assert_array_equal(job.curves.frame_times, request.frame_times)
    assert len(shown[following.SENDING]) > 10
    assert {steps for _, steps in shown[following.SENDING]} == {691}
    assert not broken_in


def test_twenty_photos_of_48_megapixels_as_the_addon_reads_them(client):
    from blender_addon._shared import following
    from blender_addon.job import AnimationJob, JobRequest, JobState

    rng = np.random.default_rng(0)
    photos = tuple(rng.integers(0, 256, (1500, 2000, 3), np.uint8) for _ in range(20))  # 8000 x 6000, halved twice
    pictures = []
    request = JobRequest(
        speech=rng.random(16_000, np.float32), sample_rate=16_000, frame_times=np.arange(25) / 25, images=photos
    )
    job = AnimationJob(request, client, lambda frames: pictures.append(len(frames)))
    shown, broken_in = watch(job, client, 200)
    assert job.error is None
    assert job.state is JobState.DONE
    assert sum(pictures) == 25
    assert {steps for _, steps in shown[following.SENDING]} == {180}
    assert not broken_in


def test_an_hour_of_pictures_is_complete_and_the_same_when_the_service_is_killed(client, service):
    from blender_addon.job import AnimationJob, JobRequest, JobState

    speech = np.random.default_rng(0).random(3600 * 16_000, np.float32)
    photo = np.zeros((64, 64, 3), np.uint8)
    request = JobRequest(speech=speech, sample_rate=16_000, frame_times=np.arange(3600.0), images=(photo,), epochs=1)
    runs = []
    for is_killed in (False, True):
        numbers, was_killed = [], False

        def take(frames, numbers=numbers):
            assert (frames == frames[:, :1, :1, :1]).all()
            numbers.extend(frames[:, 0, 0, 0].tolist())

        job = AnimationJob(request, client, take)
        deadline = time.monotonic() + 280
        while not job.is_over:
            assert time.monotonic() < deadline, f"the deadline has passed in {job.stage} {job.step}/{job.steps}"
            job.tick()
            client.wait(0.02)
            if is_killed and not was_killed and len(numbers) > 1000:
                service.kill()
                service.start()
                was_killed = True
        assert job.error is None
        assert job.state is JobState.DONE
        assert was_killed == is_killed
        runs.append((numbers, job.curves.landmarks.tobytes()))
    assert runs[0][0] == [number % 256 for number in range(3600)]
    assert runs[0] == runs[1]
