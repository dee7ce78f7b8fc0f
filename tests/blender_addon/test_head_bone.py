"""Tests that one bone turns the landmark armature as the backend turns heads, with keys of its own."""

from types import SimpleNamespace

import numpy as np
import pytest

from shared import head

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROTATION, LOCATION, SCALE = (f'pose.bones["head"].{name}' for name in ("rotation_euler", "location", "scale"))
HEAD_PATHS = {(path, axis) for path, axes in ((ROTATION, 3), (LOCATION, 2), (SCALE, 3)) for axis in range(axes)}


@pytest.fixture
def ready(preferences, fake_backend, add_strip, character):
    """A character with a strip on frames 1 to 96, whose curves alone are wanted, of a lively head."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_strip(start=1, fps=24)
    wanted = character()
    wanted.use_texture, wanted.liveliness, wanted.width = False, 0.9, 2.0
    return wanted


def generate():
    assert bpy.ops.speechface.generate() == {"FINISHED"}


def curves_of(rig):
    animation = rig.animation_data
    bag = animation.action.layers[0].strips[0].channelbag(animation.action_slot)
    return {(curve.data_path, curve.array_index): curve for curve in bag.fcurves}


def keyed(rig, path, axis):
    """Values of a curve's keys (K,)."""
    return np.array([point.co[1] for point in curves_of(rig)[path, axis].keyframe_points])


def seen(rig, frames, width):
    """Where the bones are in pixels of the crop, (T, 68, 2)."""
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        found.append(landmark_rig.posed(bpy.context.scene, rig))
    return CropPlane(width).to_pixels(np.array(found))


def is_seen(rig, frames, width, expected):
    """Whether the bones are at the landmarks, within 1e-4 of the picture's width."""
    np.testing.assert_allclose(seen(rig, frames, width), expected, atol=256e-4)


def test_landmarks_keep_still_and_the_bone_turns_them(ready, fake_backend):
    from blender_addon._shared import landmarks
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    generate()
    rig, square = ready.rig, CropPlane(2.0)
    assert len(curves_of(rig)) == 144
    is_seen(rig, range(1, 97), 2.0, fake_backend.turned(96, np.float32(0.9)))
    poses = fake_backend.poses(96, np.float32(0.9))
    for axis, name in enumerate(("pitch", "yaw", "roll")):
        np.testing.assert_allclose(keyed(rig, ROTATION, axis), poses[:, head.POSE.index(name)], atol=1e-6)
    eyes = 48.75 * 2.0 / 256  # metres between the eyes of the fake backend's face
    for axis, name in enumerate(("right", "down")):
        np.testing.assert_allclose(keyed(rig, LOCATION, axis), poses[:, head.POSE.index(name)] * eyes, atol=1e-6)
    for axis in range(3):
        np.testing.assert_allclose(keyed(rig, SCALE, axis), np.exp(poses[:, 5]), atol=1e-6)
    still = square.to_metres(fake_backend.landmarks(96)) - square.to_metres(fake_backend.neutral())
    for index, name in enumerate(landmarks.NAMES):
        for axis in (0, 1):
            keys = keyed(rig, landmark_rig.data_path(name), axis)
            np.testing.assert_allclose(keys, still[:, index, axis], atol=1e-6)


@pytest.fixture
def key(addon):
    """Keys what a backend has made on an armature of some face at rest, on frames from 1."""
    from blender_addon._shared import protocol
    from blender_addon.coordinates import CropPlane
    from blender_addon.keys import keyframes
    from blender_addon.keys.key_requests import Manner, Policy
    from blender_addon.rigs import landmark_keys, landmark_rig
    from blender_addon.slices import exhaust

    def key(neutral, still, poses, rests=None):
        square, scene = CropPlane(1.5), bpy.context.scene
        at_rest = neutral if rests is None else rests
        rig = landmark_rig.create_rig(bpy.context, scene, "Speech Face", at_rest, square)
        made = protocol.LandmarkCurves(
            job="a", sequence=1, canonical=still, landmarks=head.turned(still, neutral, poses), neutral=neutral,
            frame_times=np.arange(len(still)) / 25, crop=np.eye(2, 3, dtype=np.float32), head=poses, still=still,
        )  # fmt: skip
        wanted, values = exhaust(landmark_keys.motion_steps(rig, made, square, "Voice", Policy.KEEP))
        keyframes.write(rig, "Voice", np.arange(1, 1 + len(still)), wanted, values, manner=Manner())
        return SimpleNamespace(rig=rig, made=made, values=values)

    return key


def a_face(seed, tilt):
    """A face at rest, (68, 2) pixels, whose eye line is tilted, and ten frames of its own motion and of its head's."""
    random = np.random.default_rng(seed)
    neutral = random.uniform(-60, 60, (68, 2))
    neutral[36:42] += (-25, 0) - neutral[36:42].mean(0)
    neutral[42:48] += (25 + seed, 0) - neutral[42:48].mean(0)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    neutral = (neutral @ turn + (128, 120)).astype(np.float32)
    still = (neutral + random.normal(0, 3, (10, 68, 2))).astype(np.float32)
    poses = random.normal(0, (0.3, 0.2, 0.2, 0.1, 0.1, 0.05), (10, 6)).astype(np.float32)
    return neutral, still, poses


@pytest.mark.parametrize("tilt", [0.0, 0.35, -0.2])
def test_faces_that_are_tilted_turn_in_their_own_axes(key, tilt):
    neutral, still, poses = a_face(1, tilt)
    found = key(neutral, still, poses)
    is_seen(found.rig, range(1, 11), 1.5, found.made.landmarks)
    np.testing.assert_allclose(found.values[:, 136:139], poses[:, (1, 0, 2)], atol=1e-6)
    found.rig.animation_data.action = None
    for bone in found.rig.pose.bones:
        bone.matrix_basis.identity()
    is_seen(found.rig, [1], 1.5, [neutral])


def test_an_armature_of_another_face_shows_the_same_landmarks(key):
    neutral, still, poses = a_face(1, 0.2)
    other, _, _ = a_face(9, -0.1)
    found = key(neutral, still, poses, rests=other)
    is_seen(found.rig, range(1, 11), 1.5, found.made.landmarks)


def without_bone(rig):
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones.remove(rig.data.edit_bones["head"])
    bpy.ops.object.mode_set(mode="OBJECT")


def in_another_order(rig):
    rig.pose.bones["head"].rotation_mode = "QUATERNION"


def with_a_loose_landmark(rig):
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones["jaw_08"].parent = None
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("change", [without_bone, in_another_order, with_a_loose_landmark])
def test_armatures_without_such_a_bone_are_keyed_as_they_were(ready, fake_backend, change):
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    scene, square = bpy.context.scene, CropPlane(2.0)
    ready.rig = landmark_rig.create_rig(bpy.context, scene, "Mine", fake_backend.neutral(), square)
    change(ready.rig)
    assert landmark_rig.is_rig(ready.rig)
    generate()
    assert len(curves_of(ready.rig)) == 136
    is_seen(ready.rig, range(1, 97), 2.0, fake_backend.turned(96, np.float32(0.9)))


def test_without_liveliness_the_bone_has_no_keys(ready, fake_backend):
    ready.liveliness = 0
    generate()
    assert len(curves_of(ready.rig)) == 136
    assert not HEAD_PATHS & set(curves_of(ready.rig))
    is_seen(ready.rig, range(1, 97), 2.0, fake_backend.landmarks(96))


@pytest.mark.parametrize("policy", ["KEEP", "REPLACE"])
def test_keys_of_an_earlier_run_go_when_the_head_shall_be_still(ready, fake_backend, policy):
    generate()
    ready.liveliness, ready.keys.policy = 0, policy
    generate()
    assert len(curves_of(ready.rig)) == 136
    bone = ready.rig.pose.bones["head"]
    assert (*bone.rotation_euler, *bone.location, *bone.scale) == (0, 0, 0, 0, 0, 0, 1, 1, 1)
    is_seen(ready.rig, range(1, 97), 2.0, fake_backend.landmarks(96))


def nod(rig):
    """An artist's key on frame 5, which takes the place of ours."""
    key = curves_of(rig)[ROTATION, 0].keyframe_points.insert(5, 0.5)
    key.type = "KEYFRAME"


@pytest.mark.parametrize(("policy", "liveliness"), [("KEEP", 0.9), ("KEEP", 0), ("REPLACE", 0.9), ("REPLACE", 0)])
def test_an_artists_nod_stays_or_goes_as_the_policy_says(ready, policy, liveliness):
    from blender_addon.session import session

    generate()
    nod(ready.rig)
    ready.keys.policy, ready.liveliness = policy, liveliness
    generate()
    pitch = curves_of(ready.rig).get((ROTATION, 0))
    if policy == "KEEP":
        assert {point.co[0]: point.co[1] for point in pitch.keyframe_points}[5] == 0.5
        assert len(pitch.keyframe_points) == (96 if liveliness else 1)
        assert "Keys of Speech Face that were set by hand stay: 1" in session.notes
    else:
        assert (pitch is None) == (not liveliness)
        assert pitch is None or keyed(ready.rig, ROTATION, 0)[4] != 0.5
        assert "Keys of Speech Face that were set by hand were replaced: 1" in session.notes


def test_a_still_layer_holds_the_head_of_a_lively_one_below(ready, fake_backend):
    generate()
    ready.keys.policy, ready.liveliness = "LAYER", 0
    generate()
    is_seen(ready.rig, range(1, 97), 2.0, fake_backend.landmarks(96))


def test_a_still_strip_after_a_lively_one_is_still(ready, fake_backend, add_strip, speech_file, character):
    from blender_addon.speakers import cast

    generate()
    later = add_strip(start=201, fps=24, path=speech_file(1.0, name="later.wav"), name="Later")
    character().voices[0].is_used = False
    cast.add_voice(character(), bpy.context.scene, later)
    character().liveliness = 0
    generate()
    is_seen(character().rig, range(1, 97), 2.0, fake_backend.turned(96, np.float32(0.9)))
    is_seen(character().rig, range(201, 225), 2.0, fake_backend.landmarks(24))
    character().voices[0].is_used, character().voices[1].is_used = True, False
    generate()  # the first is still now, too
    assert {len(keyed(character().rig, *path)) for path in HEAD_PATHS} == {24}
    is_seen(character().rig, range(1, 97), 2.0, fake_backend.landmarks(96))


def test_clear_takes_the_bones_keys_too(ready):
    generate()
    rig = ready.rig
    rig.constraints.new("COPY_LOCATION")  # so that it stays
    assert bpy.ops.speechface.clear() == {"FINISHED"}
    bone = rig.pose.bones["head"]
    assert rig.animation_data is None
    assert (*bone.rotation_euler, *bone.location, *bone.scale) == (0, 0, 0, 0, 0, 0, 1, 1, 1)


def test_the_bones_keys_follow_the_strip_and_are_shaped(ready, fake_backend):
    generate()
    bpy.context.scene.sequence_editor.strips[0].frame_start += 10
    assert bpy.ops.speechface.follow_strips() == {"FINISHED"}
    is_seen(ready.rig, range(11, 107), 2.0, fake_backend.turned(96, np.float32(0.9)))
    ready.keys.choice, ready.keys.step = "HOLD", 4
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    poses = fake_backend.poses(96, np.float32(0.9))
    np.testing.assert_allclose(keyed(ready.rig, ROTATION, 1), poses[::4, 0], atol=1e-6)
    ready.keys.choice, ready.keys.bound = "SIMPLIFY", 0.02
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    yaw = curves_of(ready.rig)[ROTATION, 1]
    assert len(yaw.keyframe_points) < 40
    made = [yaw.evaluate(frame) for frame in range(11, 107)]
    np.testing.assert_allclose(made, poses[:, 0], atol=0.02 + 1e-6)
