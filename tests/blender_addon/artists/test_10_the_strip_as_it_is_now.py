"""Complaint: a strip moved, or the frame rate or a name changed while the job ran, and keys landed at the old place."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def running(preferences, fake_backend, add_image, add_strip, character, begin):
    """A generation whose results have come and are not in the scene yet; its strip covers frames 37 to 132."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    strip = add_strip(start=37, fps=24)
    generation = begin()
    generation.run_until_done(timeout=30)
    return strip


def finish():
    from blender_addon import generation

    return generation.end_at_once(bpy.context)


def keys(character):
    animation = character().rig.animation_data
    curve = animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves[0]
    return np.array([point.co[:] for point in curve.keyframe_points])


def pictures(character):
    """The number of the picture on each scene frame."""
    from blender_addon.pictures import texture_plane
    from blender_addon.pictures.png_writer import decode_png

    sequence = texture_plane.sequence_of(character().plane)
    return {f: int(decode_png(sequence.path(f).read_bytes())[0, 0, 0]) for f in sequence.frames}


def expected(fake_backend, character, rows):
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs.landmark_rig import rest_positions

    made = CropPlane(character().width).to_metres(fake_backend.landmarks(96)[:, 0])[:, 0]
    return np.interp(rows, np.arange(96), made) - rest_positions(character().rig)[0, 0]


def test_a_moved_strip_takes_keys_and_pictures_along(running, fake_backend, character):
    running.frame_start = 50
    assert finish().endswith("where the strip is now")
    found = keys(character)
    assert found[:, 0].tolist() == list(range(50, 146))
    np.testing.assert_allclose(found[:, 1], expected(fake_backend, character, np.arange(96)), atol=1e-5)
    assert pictures(character) == {50 + number: number for number in range(96)}


def test_a_trimmed_strip_keeps_what_it_still_shows(running, character):
    running.frame_offset_start, running.frame_offset_end = 10, 5
    finish()
    assert keys(character)[[0, -1], 0].tolist() == [47, 127]
    assert pictures(character)[47] == 10


def test_a_strip_that_shows_more_than_was_heard_says_so(running, character, addon):
    from blender_addon.session import session

    running.frame_offset_start = -12
    finish()
    assert keys(character)[0, 0] == 37
    assert any("12 of its frames have nothing yet" in note for note in session.notes)


def test_another_frame_rate_keeps_the_times(running, fake_backend, character):
    scene = bpy.context.scene
    scene.render.fps = 48
    finish()
    found = keys(character)
    times = (found[:, 0] - 37) / 48  # seconds within the sound
    np.testing.assert_allclose(found[:, 1], expected(fake_backend, character, times * 24), atol=1e-5)
    assert set(pictures(character).values()) <= set(range(96))


def test_other_names_of_scene_and_strip_do_not_matter(running, character):
    bpy.context.scene.name, running.name = "Shot 2", "Take 7"
    finish()
    assert keys(character)[0, 0] == 37


def test_a_strip_that_is_gone_is_said_and_nothing_is_made(running, character):
    from blender_addon._shared import errors

    bpy.context.scene.sequence_editor.strips.remove(running)
    with pytest.raises(errors.SoundError, match="'Voice' is gone"):
        finish()
    assert (character().rig, character().plane) == (None, None)
    assert len(bpy.data.objects) == 0


def test_a_strip_that_is_moved_afterwards_is_followed_without_a_new_run(running, fake_backend, character):
    finish()
    before = keys(character)
    curve = character().rig.animation_data.action.layers[0].strips[0].channelbags[0].fcurves[0]
    curve.keyframe_points[5].co.y += 1  # an artist's
    curve.update()
    running.frame_start += 20
    assert bpy.ops.speechface.follow_strips() == {"FINISHED"}
    found = keys(character)
    np.testing.assert_array_equal(found[:, 0], before[:, 0] + 20)
    assert found[5, 1] == pytest.approx(before[5, 1] + 1)
    np.testing.assert_allclose(np.delete(found[:, 1], 5), np.delete(before[:, 1], 5), atol=1e-6)
    assert pictures(character) == {57 + number: number for number in range(96)}
    assert len(fake_backend.messages("AnimateRequest")) == 1
    assert bpy.ops.speechface.follow_strips() == {"FINISHED"}  # there is nothing to do
    np.testing.assert_array_equal(keys(character), found)


def test_another_frame_rate_afterwards_is_followed_too(running, fake_backend, character):
    finish()
    bpy.context.scene.render.fps = 12
    character().keys.policy = "REPLACE"
    assert bpy.ops.speechface.follow_strips() == {"FINISHED"}
    found = keys(character)
    times = (found[:, 0] - 37) / 12
    np.testing.assert_allclose(found[:, 1], expected(fake_backend, character, times * 24), atol=1e-5)
    assert found[-1, 0] < 37 + 49
