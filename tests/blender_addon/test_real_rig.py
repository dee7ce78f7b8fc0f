"""Tests that the sample head talks through the real backend: by the names of its shape keys, and without any name."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
SAMPLES = ROOT / "backend_server" / "samples"
SECONDS, FPS = 2, 24

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON"),
]


@pytest.fixture
def speech(tmp_path):
    """Two seconds of silence, then of the shipped speech: its path and the loudness of each frame."""
    with wave.open(str(SAMPLES / "speech.wav"), "rb") as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(SECONDS * rate), "<i2")
    samples = np.concatenate([np.zeros(SECONDS * rate, "<i2"), samples])
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture
def head(own_backend):
    from blender_addon import sample_head

    wanted = bpy.context.scene.speech_face
    wanted.use_texture = wanted.use_curves = wanted.use_blink = False
    return sample_head.add(bpy.context.scene, "Head", sample_head.load(SAMPLES / "head.npz"))


def gaps(head):
    """How far the jaw is below the nose in each frame of the strip, as Blender evaluates the mesh, in metres."""
    rest = np.empty(len(head.data.vertices) * 3, np.float32)
    head.data.vertices.foreach_get("co", rest)
    rest = rest.reshape(-1, 3)
    blocks = head.data.shape_keys.key_blocks
    opened = np.empty_like(rest)
    blocks[1 + JAW_OPEN].points.foreach_get("co", opened.reshape(-1))
    chin = int(np.argmin(opened[:, 2] - rest[:, 2]))
    found = []
    for frame in range(1, 1 + 2 * SECONDS * FPS):
        bpy.context.scene.frame_set(frame)
        evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        found.append(rest[chin, 2] - evaluated.vertices[chin].co.z)
    return np.array(found)


JAW_OPEN = 17  # of ARKit's shapes in the head


def assert_talks(opening):
    silent, spoken = opening[: SECONDS * FPS - 5], opening[SECONDS * FPS + 2 :]
    assert spoken.max() > 0.004  # metres
    assert spoken.std() > 4 * silent.std()


def test_the_sample_head_talks_by_its_names(head, add_strip, speech):
    wanted = bpy.context.scene.speech_face
    wanted.rigging.character = head
    assert head.data.shape_keys.key_blocks[1 + JAW_OPEN].name == "jawOpen"
    add_strip(path=speech, fps=FPS)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert_talks(gaps(head))


def test_a_head_whose_names_are_nonsense_talks_without_typing_one(head, add_strip, speech):
    from blender_addon import rigging
    from blender_addon.session import session

    for number, block in enumerate(head.data.shape_keys.key_blocks[1:]):
        block.name = f"Morph.{(number * 37) % 52:03d}"
    head.rotation_euler, head.scale, head.location = (0, 0, 0.6), (-30, 30, 30), (1, 2, 3)  # mirrored, in inches
    bpy.context.view_layer.update()
    wanted = bpy.context.scene.speech_face
    wanted.rigging.character = head
    assert rigging.is_solved(wanted.rigging)
    add_strip(path=speech, fps=FPS)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert_talks(gaps(head))
    assert not any("come no nearer" in note for note in session.notes)
