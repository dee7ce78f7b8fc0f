"""Complaint: a strip in another scene, as in the sequencer scene of Blender 5, could not be chosen."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def shot(preferences, fake_backend, add_strip, character):
    """A scene of 30 frames/s that has the character; the strip lies in the scene Edit, of 24 frames/s."""
    preferences.connection_file = str(fake_backend.connection_file)
    edit = bpy.context.scene
    edit.name = "Edit"
    add_strip(start=111, fps=24)
    made = bpy.data.scenes.new("Shot")
    made.render.fps, made.frame_start, made.frame_end = 30, 5, 400
    bpy.context.window.scene = made
    if hasattr(bpy.context.workspace, "sequencer_scene"):  # since 5.0
        bpy.context.workspace.sequencer_scene = edit
    character().use_texture = False
    yield made
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = None


def keys(character):
    animation = character().rig.animation_data
    curve = animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves[0]
    return [int(point.co[0]) for point in curve.keyframe_points]


def test_the_strip_of_another_scene_is_found_without_being_chosen(shot, character):
    shot.render.fps = 24
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keys(character) == list(range(111, 207))
    assert character().voices[0].scene == bpy.data.scenes["Edit"]


def test_a_scene_strip_says_which_frame_is_seen_when(shot, character, fake_backend):
    """Shot begins at frame 101 of Edit, its first ten frames are cut off; the sound begins there at frame 111."""
    edit = bpy.data.scenes["Edit"]
    shown = edit.sequence_editor.strips.new_scene("Shot", shot, 3, 101)
    shown.frame_offset_start = 10
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keys(character) == list(range(15, 111))  # frame 111 of Edit shows frame 5 + 10
    times = fake_backend.messages("AnimateRequest")[0].frame_times
    np.testing.assert_allclose(np.diff(times), 1 / 24)  # Edit plays Shot frame by frame
    shown.frame_start += 20
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keys(character) == list(range(-5, 91))  # and nothing is left of the former keys


def test_two_rates_without_a_scene_strip_are_refused_with_what_to_do(shot):
    from blender_addon import orders

    assert not bpy.ops.speechface.generate.poll()
    reason = orders.disabled_reason(bpy.context)
    assert "'Edit'" in reason and "'Shot'" in reason and "the same, or add" in reason
