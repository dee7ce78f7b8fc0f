"""Complaint: trimmed metas, even retiming, muted, renamed, copied and exchanged strips surprised a user."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def ready(preferences, fake_backend, character):
    """Generate keys the landmark armature alone."""
    preferences.connection_file = str(fake_backend.connection_file)
    character().use_texture = False


@pytest.fixture
def retime(addon):
    """Gives a strip a speed in percent, and keys that change nothing, as the sequencer's own operators do."""

    def retime(strip, speed, frames=()):
        window = bpy.context.window_manager.windows[0]
        area = window.screen.areas[0]
        area.type = "SEQUENCE_EDITOR"
        if hasattr(window.workspace, "sequencer_scene"):  # since 5.0
            window.workspace.sequencer_scene = bpy.context.scene
        region = next(region for region in area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(window=window, area=area, region=region):
            strip.select = True
            bpy.context.scene.sequence_editor.active_strip = strip
            bpy.ops.sequencer.retiming_segment_speed_set(speed=speed)
            for frame in frames:
                bpy.ops.sequencer.retiming_key_add(timeline_frame=frame)

    return retime


@pytest.fixture
def keyed(character):
    """The frames that have keys."""

    def keyed():
        animation = character().rig.animation_data
        curve = animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves[0]
        return [int(point.co[0]) for point in curve.keyframe_points]

    return keyed


def into_meta(strip, name, channel=2):
    meta = bpy.context.scene.sequence_editor.strips.new_meta(name, channel, 1)
    strip.move_to_meta(meta)
    meta.frame_final_start, meta.frame_final_end = strip.frame_final_start, strip.frame_final_end
    return meta


def test_only_what_the_meta_strips_show_is_heard(ready, add_strip, keyed, fake_backend):
    strip = add_strip(start=37, fps=24)
    meta = into_meta(strip, "Scene 1")
    meta.frame_start += 20
    meta.frame_offset_start, meta.frame_offset_end = 10, 5
    assert (strip.frame_final_start, strip.frame_final_end) == (57, 153)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keyed() == list(range(67, 148))
    sent = fake_backend.messages("AnimateRequest")[0]
    assert len(sent.speech) == round(81 / 24 * 16_000)
    assert sent.speech[1600] == pytest.approx(0.1 + 0.8 * (10 / 24 + 0.1) / 4, abs=2e-3)  # the sound tells its time


def test_a_meta_strip_that_hides_the_strip_is_named(ready, add_strip, character):
    from blender_addon import orders

    strip = add_strip(start=37, fps=24)
    meta = into_meta(strip, "Scene 1")
    meta.frame_final_end = 150
    meta.frame_final_start = 140
    assert "The meta strip 'Scene 1' shows nothing of the sound strip 'Voice'" in orders.disabled_reason(bpy.context)


def test_one_speed_is_followed_and_keys_in_between_are_said(ready, add_strip, retime, keyed, fake_backend):
    from blender_addon import orders

    strip = add_strip(start=11, fps=24)
    retime(strip, 200)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    sent = fake_backend.messages("AnimateRequest")[0]
    np.testing.assert_allclose(np.diff(sent.frame_times), 2 / 24)
    assert keyed()[0] == 11
    bpy.ops.sequencer.retiming_key_add(timeline_frame=20)
    assert not bpy.ops.speechface.generate.poll()
    assert "has 3 retiming keys, between which its speed is not known" in orders.disabled_reason(bpy.context)


def test_a_strip_that_nobody_hears_is_said_before_and_moves_the_face(ready, add_strip, character):
    from blender_addon import orders
    from blender_addon.session import session

    strip = add_strip(start=1, fps=24)

    def said():
        return orders.remarks(bpy.context, character())

    assert said() == []
    strip.volume = 0
    assert said() == ["'Voice' has the volume 0: it moves the face, but is not heard"]
    strip.keyframe_insert("volume", frame=1)
    assert said() == []  # it may be louder elsewhere
    strip.mute = True
    assert said() == ["'Voice' is muted: it moves the face, but is not heard"]
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert session.notes == said()
    strip.mute = False
    meta = into_meta(strip, "Scene 1")
    meta.mute = True
    assert said() == ["'Voice' is muted, as the meta strip 'Scene 1' is: it moves the face, but is not heard"]
    meta.mute = False
    bpy.context.scene.sequence_editor.channels[meta.channel].mute = True
    assert said() == ["'Channel 2', the channel of 'Voice', is muted: it moves the face, but is not heard"]


def test_pan_and_volume_do_not_change_what_the_face_hears(ready, add_strip, fake_backend):
    strip = add_strip(start=1, fps=24)
    for pan, volume in ((0, 1), (-1, 0.1)):
        strip.pan, strip.volume = pan, volume
        assert bpy.ops.speechface.generate() == {"FINISHED"}
    first, second = fake_backend.messages("AnimateRequest")
    np.testing.assert_array_equal(first.speech, second.speech)


def test_a_renamed_and_moved_strip_leaves_no_stale_keys(ready, add_strip, keyed):
    strip = add_strip(start=37, fps=24)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    strip.name, strip.frame_start = "Take 7", 300
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keyed() == list(range(300, 396))


@pytest.mark.parametrize("chosen", ["Voice", "Copy"])
def test_a_copied_strip_speaks_beside_the_first(ready, add_strip, character, keyed, chosen):
    """Blender copies what is written on a strip, and either may come first in its lists."""
    from blender_addon.speakers import cast

    scene = bpy.context.scene
    copy = add_strip(start=200, fps=24, name="Copy")
    strip = add_strip(start=1, fps=24)
    strips = {"Voice": strip, "Copy": copy}
    spoken, other = strips.pop(chosen), next(iter(strips.values()))
    voice = cast.add_voice(character(), scene, spoken)
    other["speech_face"] = spoken["speech_face"]
    assert cast.add_voice(character(), scene, other).token != voice.token
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert keyed() == [*range(1, 97), *range(200, 296)]


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_sound_that_is_exchanged_meanwhile_is_said(ready, add_strip, begin, character, speech_file, is_packed):
    from blender_addon import generation
    from blender_addon._shared import errors

    strip = add_strip(start=1, fps=24)
    begin().run_until_done(timeout=30)
    other = bpy.data.sounds.load(str(speech_file(3.5, name="other.wav")))
    if is_packed:
        other.pack()
    strip.sound = other
    with pytest.raises(errors.SoundError, match=r"sound of the strip 'Voice' was replaced .* 'speech.wav'; nothing"):
        generation.end_at_once(bpy.context)
    assert character().rig is None


def test_the_same_sound_may_be_packed_renamed_or_moved_meanwhile(ready, add_strip, begin, keyed, tmp_path):
    from blender_addon import generation

    strip = add_strip(start=1, fps=24)
    begin().run_until_done(timeout=30)
    strip.sound.pack()
    strip.sound.name = "Anna"
    (tmp_path / "speech.wav").unlink()
    generation.end_at_once(bpy.context)
    assert keyed() == list(range(1, 97))
