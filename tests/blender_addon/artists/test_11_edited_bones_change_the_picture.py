"""Complaint: edited bones never changed the picture."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

CHIN = 8  # of the 68 landmarks; the backend of this test draws its place as a colour


@pytest.fixture
def made(preferences, fake_backend, add_image, add_strip, character):
    """A character with curves and pictures on frames 1 to 96."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    add_strip(start=1, fps=24)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    return character


def drawn(character):
    """Where the chin is in the picture of each scene frame, in whole pixels (T, 2)."""
    from blender_addon.pictures import texture_plane
    from blender_addon.pictures.png_writer import decode_png

    sequence = texture_plane.sequence_of(character().plane)
    return np.array([decode_png(sequence.path(frame).read_bytes())[0, 0, :2] for frame in sequence.frames])


def posed(character):
    """Where the bone of the chin is on each frame, in whole pixels (T, 2)."""
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    found = []
    for frame in range(1, 97):
        bpy.context.scene.frame_set(frame)
        found.append(landmark_rig.posed(bpy.context.scene, character().rig)[CHIN])
    return CropPlane(character().width).to_pixels(np.array(found)).round()


def test_moved_keys_are_drawn(made):
    from blender_addon._shared import landmarks
    from blender_addon.rigs import landmark_rig

    animation = made().rig.animation_data
    bag = animation.action.layers[0].strips[0].channelbag(animation.action_slot)
    curve = bag.fcurves.find(landmark_rig.data_path(landmarks.NAMES[CHIN]), index=1)
    before = posed(made)[:, 1].mean()
    for point in curve.keyframe_points:
        point.co.y -= 0.1
    curve.update()
    bpy.context.scene.frame_set(33)
    assert bpy.ops.speechface.render_again() == {"FINISHED"}
    assert bpy.context.scene.frame_current == 33
    np.testing.assert_allclose(drawn(made), posed(made), atol=1)
    assert drawn(made)[:, 1].mean() - before == pytest.approx(25.6, abs=1)  # a tenth of the picture lower


def test_constraints_count(made):
    from blender_addon._shared import landmarks

    target = bpy.data.objects.new("Target", None)
    bpy.context.scene.collection.objects.link(target)
    target.location = (0.1, 0, -0.3)
    bone = made().rig.pose.bones[landmarks.NAMES[CHIN]]
    constraint = bone.constraints.new("COPY_LOCATION")
    constraint.target = target
    assert bpy.ops.speechface.render_again() == {"FINISHED"}
    assert len({tuple(place) for place in drawn(made).tolist()}) == 1
    np.testing.assert_allclose(drawn(made), posed(made), atol=1)


def test_a_head_that_is_turned_by_hand_turns_the_picture(made, fake_backend):
    from shared import head

    rig = made().rig
    bone, turns = rig.pose.bones["head"], np.array([(0.4, -0.2, 0.3, 0.0, 0.0, 0.0)])
    animation = rig.animation_data
    bag = animation.action.layers[0].strips[0].channelbag(animation.action_slot)
    for curve in [curve for curve in bag.fcurves if curve.data_path.startswith('pose.bones["head"]')]:
        bag.fcurves.remove(curve)
    bone.rotation_euler, bone.location, bone.scale = (-0.2, 0.4, 0.3), (0, 0, 0), (1, 1, 1)  # pitch, yaw, roll
    assert bpy.ops.speechface.render_again() == {"FINISHED"}
    still = fake_backend.landmarks(96)
    asked = fake_backend.messages("RenderRequest")[0].landmarks
    np.testing.assert_allclose(asked, head.turned(still, fake_backend.neutral(), np.repeat(turns, 96, 0)), atol=256e-4)
    assert np.abs(asked - still).max() > 10
    np.testing.assert_allclose(drawn(made), posed(made), atol=1)


def test_a_range_alone_is_drawn_and_the_rest_is_kept(made, fake_backend):
    before = drawn(made)
    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 11, 20
    assert bpy.ops.speechface.render_again() == {"FINISHED"}
    assert len(fake_backend.messages("RenderRequest")[0].landmarks) == 10
    after = drawn(made)
    np.testing.assert_array_equal(np.flatnonzero((before != after).any(axis=1)) // 10, [1] * 10)
    assert bpy.ops.speechface.render_again(use_range=True, first=90, last=400) == {"FINISHED"}
    assert len(fake_backend.messages("RenderRequest")[1].landmarks) == 7


def test_why_not_is_said(made):
    with pytest.raises(RuntimeError, match="No frame from 200 to 300 has a picture"):
        bpy.ops.speechface.render_again(use_range=True, first=200, last=300)
    bpy.data.objects.remove(made().rig)
    assert not bpy.ops.speechface.render_again.poll()
