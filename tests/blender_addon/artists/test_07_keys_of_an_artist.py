"""Complaint: keys that an artist had scaled were kept although Generate was pressed to change them, and keys that were
shifted got mixed with new ones, silently.
"""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def made(preferences, fake_backend, add_strip, character):
    """A character with landmark curves on frames 11 to 34."""
    preferences.connection_file = str(fake_backend.connection_file)
    character().use_texture = False
    add_strip(start=11, fps=24)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    return character


def curves(character):
    animation = character().rig.animation_data
    return animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves


def keys(character):
    return [tuple(point.co) for point in curves(character)[0].keyframe_points]


def scale(character):
    for point in curves(character)[0].keyframe_points:
        point.co.y *= 2
    curves(character)[0].update()


def shift(character):
    for curve in curves(character):
        for point in curve.keyframe_points:
            point.co.x += 3
        curve.update()


def said():
    from blender_addon.session import session

    return " ".join(session.notes)


def test_replace_mine_makes_scaled_keys_anew_and_says_so(made):
    before = keys(made)
    scale(made)
    made().keys.policy = "REPLACE"
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keys(made) == before
    assert "set by hand were replaced: 95" in said()


def test_keep_mine_keeps_scaled_keys_and_says_so(made):
    scale(made)
    scaled = keys(made)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keys(made) == scaled
    assert "set by hand stay: 95" in said()


def test_shifted_keys_are_never_mixed_with_new_ones(made):
    shift(made)
    shifted = keys(made)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keys(made) == shifted
    assert "moved" in said()
    made().keys.policy = "REPLACE"
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert [frame for frame, _ in keys(made)] == list(range(11, 107))


def test_a_new_layer_leaves_all_as_it_is(made):
    scale(made)
    scaled = keys(made)
    made().keys.policy = "LAYER"
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    tracks = made().rig.animation_data.nla_tracks
    lower = [strip.action for track in tracks for strip in track.strips] + [made().rig.animation_data.action]
    assert any(
        [tuple(point.co) for point in action.layers[0].strips[0].channelbags[0].fcurves[0].keyframe_points] == scaled
        for action in lower
        if action is not None
    )
    assert "layer" in said()


def test_clear_takes_exactly_what_was_made(made):
    from blender_addon.session import session

    rig = made().rig
    rig.pose.bones[0].location = (0.5, 0, 0)
    bpy.context.view_layer.update()
    assert bpy.ops.speechface.clear() == {"FINISHED"}
    assert made().rig is None  # nothing was left on it
    assert len(bpy.data.actions) == 0
    assert len(bpy.context.scene.objects) == 0
    assert session.failure == ""
    assert not bpy.ops.speechface.clear.poll()


def test_clear_leaves_what_an_artist_made(made):
    scale(made)
    scaled = keys(made)
    assert bpy.ops.speechface.clear() == {"FINISHED"}
    assert keys(made) == [key for key in scaled if key[1]]  # twice nothing is as it was made
    assert len(curves(made)) == 1


def test_keys_are_shaped_again_without_a_new_run(made, fake_backend):
    whole = keys(made)
    made().keys.choice, made().keys.step = "HOLD", 2
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    assert [frame for frame, _ in keys(made)][:3] == [11, 13, 15]
    assert curves(made)[0].keyframe_points[0].interpolation == "CONSTANT"
    made().keys.choice = "SIMPLIFY"
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    assert len(keys(made)) < len(whole) / 2
    made().keys.choice = "EVERY_FRAME"
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    assert keys(made) == whole
    assert len(fake_backend.messages("AnimateRequest")) == 1
