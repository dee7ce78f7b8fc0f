"""Holds what the add-on's tests share: a registered add-on, an empty file, sounds, pictures, and backends."""

import atexit
import os
import socket
import subprocess
import sys
import time
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import bpy
except ImportError:  # each test module says so and skips
    bpy = None

from tests.speech_face_fake_backend import FakeBackend  # noqa: E402 (the checkout is on the path now)

_STATUS = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Keeps the exit status for the end."""
    session.config.stash[_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Ends the process without tearing Blender down: 4.5 waits for itself for ever after some imported files."""
    if bpy is not None and _STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_STATUS])


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def until():
    """Waits until something is true, by asking again and again."""

    def wait(is_true, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not is_true():
            assert time.monotonic() < deadline, "the deadline has passed"
            time.sleep(0.001)  # polling

    return wait


def backend_python():
    """The Python that has torch: named by the environment, or the checkout's own."""
    named = os.environ.get("SPEECH_FACE_PYTHON")
    return Path(named) if named else ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.fixture(scope="session")
def addon():
    """The add-on, registered from the checkout with preferences of its own."""
    import blender_addon

    entry = bpy.context.preferences.addons.new()
    entry.module = "blender_addon"
    blender_addon.register()
    is_registered = [True]

    def unregister():  # Blender 4.5 never ends while a class is registered
        if is_registered.pop():
            blender_addon.unregister()
            is_registered.append(False)

    atexit.register(unregister)
    yield blender_addon
    unregister()


@pytest.fixture(autouse=True)
def _empty_file(request):
    if bpy is not None:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        bpy.context.preferences.edit.use_global_undo = True
    yield
    if "addon" in request.fixturenames:
        from blender_addon.session import session

        session.orders.clear()
        session.stop_reading()
        if session.generation is not None:
            session.generation.discard()
            session.generation = None
        session.failure = ""
        session.close()


@pytest.fixture
def preferences(addon, tmp_path):
    """The add-on's preferences, empty but for a data folder of this test."""
    values = bpy.context.preferences.addons["blender_addon"].preferences
    for name in ("folder", "python", "device", "connection_file", "wheel_file", "install_folder"):
        setattr(values, name, "")
    values.property_unset("backend")
    values.data_folder = str(tmp_path / "data")
    return values


@pytest.fixture
def own_backend(preferences, monkeypatch, tmp_path):
    """Preferences with which the add-on starts the backend of the checkout itself."""
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    preferences.python, preferences.folder = str(backend_python()), str(ROOT)


@pytest.fixture(scope="session")
def extensions(tmp_path_factory):
    """The zips by platform, and "full"; built in a process of its own; the wheels are kept in the checkout."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "build_addon.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    if "cannot be downloaded" in done.stderr:
        pytest.skip(f"the wheels are not here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem.split("-")[-1]: path for path in out.glob("*.zip")}


@pytest.fixture
def speech_file(tmp_path):
    """Writes a WAV whose sample at second t is a ramp: its value tells the time."""

    def write(seconds=4.0, sample_rate=16_000, channels=1, name="speech.wav", silent=False):
        time = np.arange(round(seconds * sample_rate)) / sample_rate
        values = np.zeros_like(time) if silent else 0.1 + 0.8 * time / max(seconds, 1e-9)
        path = tmp_path / name
        with wave.open(str(path), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(np.repeat((values * 32767).astype("<i2"), channels).tobytes())
        return path

    return write


@pytest.fixture
def add_strip(speech_file):
    """Adds a sound strip to the scene, trimmed on both sides."""

    def add(start=1, left=0, right=0, path=None, fps=24, fps_base=1.0, name="Voice"):
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = fps, fps_base
        editor = scene.sequence_editor or scene.sequence_editor_create()
        strip = editor.strips.new_sound(name, str(path or speech_file()), 1, start)
        strip.frame_offset_start, strip.frame_offset_end = left, right
        return strip

    return add


@pytest.fixture
def add_mesh(addon):
    """Adds a mesh of four points a side whose shape keys each lift one more of them."""

    def add(name="Head", keys=(), parent=None, location=(0, 0, 0), height=0.1):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([(x / 4, y / 4, 0) for y in range(4) for x in range(4)], [], [(0, 1, 5, 4), (1, 2, 6, 5)])
        made = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(made)
        made.parent, made.location = parent, location
        if keys:
            made.shape_key_add(name="Basis")
        for number, key in enumerate(keys):
            block = made.shape_key_add(name=key, from_mix=False)
            block.data[number % 16].co.z += height
            block.value = 0
        bpy.context.view_layer.update()
        return made

    return add


@pytest.fixture
def add_armature(addon):
    """Adds an armature of bones that lie along Y, 0.2 m long."""

    def add(name="Rig", bones=("jaw",), mode="QUATERNION"):
        rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
        bpy.context.scene.collection.objects.link(rig)
        bpy.context.view_layer.objects.active = rig
        bpy.ops.object.mode_set(mode="EDIT")
        for number, bone in enumerate(bones):
            made = rig.data.edit_bones.new(bone)
            made.head, made.tail = (number, 0, 0), (number, 0.2, 0)
        bpy.ops.object.mode_set(mode="OBJECT")
        for bone in rig.pose.bones:
            bone.rotation_mode = mode
        return rig

    return add


@pytest.fixture
def character(addon):
    """The active character of the active scene; the first call adds one."""
    from blender_addon.speakers import cast

    return lambda: cast.active(bpy.context.scene)


@pytest.fixture
def begin(character):
    """Begins to generate the first strip of the active character, step by step."""
    from blender_addon import generation, orders

    return lambda: generation.begin(bpy.context, orders.orders(bpy.context, character())[0])


@pytest.fixture
def add_image(character):
    """Adds a generated reference image to the active character."""

    def add(width=64, height=48, name="Photo"):
        image = bpy.data.images.new(name, width, height)
        ramp = np.linspace(0, 1, width * height * 4, dtype=np.float32)
        ramp[3::4] = 1
        image.pixels.foreach_set(ramp)
        character().images.add().image = image
        return image

    return add


@pytest.fixture
def fake_backend(tmp_path):
    """A backend that answers at once, for what the message flow alone decides."""
    backend = FakeBackend(tmp_path)
    yield backend
    backend.close()


@pytest.fixture
def fake_backend_on_ipv6(tmp_path):
    """The same, on an IPv6 address."""
    try:
        with socket.socket(socket.AF_INET6) as six:
            six.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    backend = FakeBackend(tmp_path / "six", "[::1]")
    yield backend
    backend.close()


@pytest.fixture
def parts(addon):
    """The modules that have no bpy, and the panel's lines."""
    from blender_addon import client, job, panels
    from blender_addon._shared import endpoint, errors, pause, protocol

    return SimpleNamespace(
        client=client, job=job, panels=panels, endpoint=endpoint, errors=errors, pause=pause, protocol=protocol
    )


@pytest.fixture
def connect(parts, fake_backend):
    """Makes clients of the fake backend, closed after the test."""
    clients = []

    def connect(clock=time.monotonic, read=None, cancels=None):
        read = read or (lambda: parts.endpoint.read_connection_file(fake_backend.connection_file))
        clients.append(parts.client.Client(read, clock=clock, cancels=cancels))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
