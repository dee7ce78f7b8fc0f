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
    """Two seconds of silence, then two of the shipped speech."""
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
def head(own_backend, character):
    from blender_addon._shared import head_file
    from blender_addon.rigs import sample_head

    wanted = character()
    wanted.use_texture = wanted.use_curves = wanted.use_blink = False
    return sample_head.add(bpy.context.scene, "Head", head_file.load_head(SAMPLES / "head.npz"))


def chin_of(head):
    """The vertex that an open jaw lowers most."""
    blocks = head.data.shape_keys.key_blocks
    rest, opened = (np.empty(len(head.data.vertices) * 3, np.float32) for _ in range(2))
    blocks[0].points.foreach_get("co", rest)
    blocks[1 + JAW_OPEN].points.foreach_get("co", opened)
    return int(np.argmin((opened - rest)[2::3]))


def lowering(head, chin):
    """How far the chin is lowered in each frame of the strip, as Blender evaluates the mesh, in the head's metres."""
    found = []
    for frame in range(1, 1 + 2 * SECONDS * FPS):
        bpy.context.scene.frame_set(frame)
        evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        found.append(head.data.vertices[chin].co.z - evaluated.vertices[chin].co.z)
    return np.array(found)


def skin(head):
    """Takes the shape keys of a head and gives it bones instead, whose names say nothing: its armature."""
    rest, moved = (np.empty(len(head.data.vertices) * 3, np.float32) for _ in range(2))
    blocks = head.data.shape_keys.key_blocks
    blocks[0].points.foreach_get("co", rest)
    weights = {}
    for name, shape in {"b1": "jawOpen", "b2": "mouthSmileLeft", "b3": "mouthSmileRight", "b4": "mouthUpperUpLeft",
                        "b5": "mouthUpperUpRight"}.items():  # fmt: skip
        blocks[shape].points.foreach_get("co", moved)
        lengths = np.linalg.norm((moved - rest).reshape(-1, 3), axis=1)
        weights[name] = lengths / lengths.max()
    total = np.maximum(sum(weights.values()), 1)
    weights = {name: weight / total for name, weight in weights.items()}
    weights["b0"] = 1 - sum(weights.values())
    head.shape_key_clear()
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    places = {"b0": ((0, 0, 0), (0, 0, 0.1)), "b1": ((0, 0, 0.12), (0, -0.09, 0.07))}  # the neck, and the jaw
    for name, weight in weights.items():
        middle = rest.reshape(-1, 3)[weight > 0.8 * weight.max()].mean(axis=0)
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail = places.get(name, (middle, middle - np.array((0, 0.02, 0))))
    for bone in rig.data.edit_bones:
        bone.parent = None if bone.name == "b0" else rig.data.edit_bones["b0"]
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, weight in weights.items():
        group = head.vertex_groups.new(name=name)
        for index in np.flatnonzero(weight > 0.01):
            group.add([int(index)], float(weight[index]), "REPLACE")
    head.modifiers.new("Armature", "ARMATURE").object = rig
    return rig


JAW_OPEN = 17  # of ARKit's shapes in the head


def assert_talks(opening):
    silent, spoken = opening[: SECONDS * FPS - 5], opening[SECONDS * FPS + 2 :]
    assert spoken.max() > 0.004  # metres
    assert spoken.std() > 4 * silent.std()


def test_the_sample_head_talks_by_its_names(head, add_strip, speech, character):
    wanted = character()
    wanted.rigging.character = head
    assert head.data.shape_keys.key_blocks[1 + JAW_OPEN].name == "jawOpen"
    add_strip(path=speech, fps=FPS)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert_talks(lowering(head, chin_of(head)))


def test_a_head_whose_names_are_nonsense_talks_without_typing_one(head, add_strip, speech, character):
    from blender_addon.rigs import rigging
    from blender_addon.session import session

    for number, block in enumerate(head.data.shape_keys.key_blocks[1:]):
        block.name = f"Morph.{(number * 37) % 52:03d}"
    head.rotation_euler, head.scale, head.location = (0, 0, 0.6), (-30, 30, 30), (1, 2, 3)  # mirrored, in inches
    bpy.context.view_layer.update()
    wanted = character()
    wanted.rigging.character = head
    assert rigging.is_solved(wanted.rigging)
    add_strip(path=speech, fps=FPS)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert_talks(lowering(head, chin_of(head)))
    assert not any("come no nearer" in note for note in session.notes)


def test_landmarks_are_found_where_they_belong_and_a_corrected_face_talks(head, add_strip, speech, character):
    from blender_addon.rigs import face_landmarks
    from blender_addon.session import session

    for number, block in enumerate(head.data.shape_keys.key_blocks[1:]):
        block.name = f"Morph.{number:03d}"
    rigging = character().rigging
    rigging.character = head
    assert bpy.ops.speechface.find_landmarks() == {"FINISHED"}
    face = face_landmarks.face_of(rigging)
    places = {
        row.name: place for row, place in zip(face.landmarks, face_landmarks.places(bpy.context, face), strict=True)
    }
    right, left = places["right mouth corner"], places["left mouth corner"]
    assert right[0] < -0.01 < 0.01 < left[0]  # the head looks along -y, so its right is on the left of the picture
    assert places["chin"][2] < right[2] < places["nose tip"][2] < places["nose bridge, top"][2]
    assert np.abs(right * (-1, 1, 1) - left).max() < 0.01
    row = face.landmarks["upper lip, middle"]
    row.vertex = face.landmarks["upper lip, right of the middle"].vertex
    add_strip(path=speech, fps=FPS)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert_talks(lowering(head, chin_of(head)))
    assert face_landmarks.is_corrected(row)
    assert not any("come no nearer" in note for note in session.notes)


def test_a_face_of_bones_whose_names_are_nonsense_talks_too(head, add_strip, speech, character):
    from blender_addon.rigs import rigging

    chin = chin_of(head)
    rig = skin(head)
    wanted = character()
    wanted.rigging.character = rig
    assert rigging.is_solved(wanted.rigging)
    add_strip(path=speech, fps=FPS)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert_talks(lowering(head, chin))
    paths = {curve.data_path for curve in rig.animation_data.action.layers[0].strips[0].channelbags[0].fcurves}
    assert 'pose.bones["b1"].rotation_quaternion' in paths
    assert not any('"b0"' in path for path in paths)  # it moves the whole head
