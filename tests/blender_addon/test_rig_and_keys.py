"""Tests that evaluated bones follow the curves, and that an artist's keys survive a second bake."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

NEUTRAL = np.random.default_rng(1).uniform(25, 230, (68, 2))  # pixels of the crop


def metres(pixels):
    """Where pixels of the crop are in a picture that is one metre wide."""
    return (np.asarray(pixels, np.float64) - 127.5) / 256 * (1, -1)


@pytest.fixture
def rig(addon):
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    return landmark_rig.create_rig(bpy.context, bpy.context.scene, "Speech Face", NEUTRAL, CropPlane(1.0))


@pytest.fixture
def write(addon):
    """Keys locations (T, 68, 2) into the landmark armature."""
    from blender_addon.keys import keyframes
    from blender_addon.rigs import landmark_rig

    def write(rig, bake, frames, locations, **how):
        values = locations.reshape(len(locations), -1)
        return keyframes.write(rig, bake, frames, landmark_rig.curves(), values, **how).action

    return write


def curves_of(rig):
    animation = rig.animation_data
    bag = animation.action.layers[0].strips[0].channelbag(animation.action_slot)
    return {(curve.data_path, curve.array_index): curve for curve in bag.fcurves}


def keys_of(curve):
    return {point.co[0]: point.co[1] for point in curve.keyframe_points}


def first_curve(rig):
    from blender_addon._shared import landmarks
    from blender_addon.rigs import landmark_rig

    return curves_of(rig)[landmark_rig.data_path(landmarks.NAMES[0]), 0]


def evaluated_heads(rig):
    from blender_addon._shared import landmarks

    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.pose.bones[name].head for name in landmarks.NAMES])


def test_one_bone_a_landmark_at_rest(rig, addon):
    from blender_addon.rigs import landmark_rig

    assert landmark_rig.is_rig(rig)
    assert len(rig.data.bones) == 69
    np.testing.assert_allclose(landmark_rig.rest_positions(rig), metres(NEUTRAL), atol=1e-6)
    assert [len(c.bones) for c in rig.data.collections] == [17, 5, 5, 4, 5, 6, 6, 12, 8, 1]
    assert {bone.parent.name for bone in rig.data.bones if bone.parent} == {"head"}


def test_evaluated_bones_equal_the_curves(rig, write):
    from shared.head import DEPTHS, HeadAxes

    depths = np.array(DEPTHS) * HeadAxes.of(NEUTRAL).eye_distance / 256
    frames = np.arange(47, 57)
    locations = np.random.default_rng(2).normal(0, 0.02, (10, 68, 2)).astype(np.float32)
    action = write(rig, "Voice", frames, locations)
    assert rig.animation_data.action == action
    assert len(curves_of(rig)) == 136
    assert all(len(curve.keyframe_points) == 10 for curve in curves_of(rig).values())
    for index, frame in enumerate(frames):
        bpy.context.scene.frame_set(int(frame))
        heads = evaluated_heads(rig)
        np.testing.assert_allclose(heads[:, (0, 2)], metres(NEUTRAL) + locations[index], atol=1e-6)
        np.testing.assert_allclose(heads[:, 1], depths, atol=1e-6)
    bpy.context.scene.frame_set(48, subframe=0.5)
    between = (locations[1] + locations[2]) / 2  # linear: no overshoot between the frames
    np.testing.assert_allclose(evaluated_heads(rig)[:, (0, 2)], metres(NEUTRAL) + between, atol=1e-6)


def test_a_second_bake_replaces_only_its_own_keys(rig, write):
    ones = np.ones((10, 68, 2), np.float32)
    write(rig, "Voice", np.arange(1, 11), ones)
    write(rig, "Other", np.arange(20, 30), 2 * ones)
    curve = first_curve(rig)
    artist = curve.keyframe_points.insert(5, 9.0)  # replaces the value, not the type
    artist.interpolation = "BEZIER"
    artist.handle_left_type = artist.handle_right_type = "FREE"
    artist.handle_right = (6.5, 8.0)
    curve.keyframe_points.insert(40, 7.0, keyframe_type="KEYFRAME")
    next(point for point in curve.keyframe_points if point.co[0] == 9).co[1] = 4.0  # dragged up
    rig.keyframe_insert("location", index=2, frame=3)
    action = write(rig, "Voice", np.arange(3, 8), 3 * ones[:5])
    assert rig.animation_data.action == action
    keys = keys_of(first_curve(rig))
    assert keys == {3: 3, 4: 3, 5: 9, 6: 3, 7: 3, 9: 4, **dict.fromkeys(range(20, 30), 2), 40: 7}
    kept = next(point for point in first_curve(rig).keyframe_points if point.co[0] == 5)
    assert (kept.interpolation, kept.handle_right_type) == ("BEZIER", "FREE")
    np.testing.assert_allclose(kept.handle_right, (6.5, 8.0), atol=1e-6)
    assert len(curves_of(rig)) == 137  # the object's own location stays keyed


def test_an_artists_action_moves_to_an_nla_track(rig, write):
    theirs = bpy.data.actions.new("Nod")
    rig.animation_data_create().action = theirs
    rig.location = (0, 0, 5)
    rig.keyframe_insert("location", index=2, frame=1)
    before = [tuple(point.co) for curve in curves_of(rig).values() for point in curve.keyframe_points]
    ours = write(rig, "Voice", np.arange(1, 4), np.zeros((3, 68, 2), np.float32))
    assert ours != theirs
    track = rig.animation_data.nla_tracks[0]
    assert track.strips[0].action == theirs
    bag = theirs.layers[0].strips[0].channelbags[0]
    assert [tuple(point.co) for curve in bag.fcurves for point in curve.keyframe_points] == before
    rig.location = (0, 0, 0)
    bpy.context.scene.frame_set(2)
    assert rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).location.z == pytest.approx(5)


def test_making_the_rig_leaves_selection_and_mode(addon):
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.active_object
    bpy.ops.object.mode_set(mode="EDIT")
    landmark_rig.create_rig(bpy.context, bpy.context.scene, "Speech Face", NEUTRAL, CropPlane(1.0))
    assert bpy.context.view_layer.objects.active == cube
    assert cube.mode == "EDIT"
    assert [o for o in bpy.context.view_layer.objects if o.select_get()] == [cube]


def test_frames_and_locations_must_fit(rig, write):
    from blender_addon._shared import errors

    with pytest.raises(errors.ShapeError, match=r"expected values of shape \(3, 136\)"):
        write(rig, "Voice", np.arange(3), np.zeros((4, 68, 2), np.float32))
