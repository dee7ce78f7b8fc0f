"""Tests that Generate makes keys on the strip's frames and pictures on a plane, or says why it cannot."""

import struct
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

RATES = {
    "24": (24, 1),
    "23.976": (24, 1.001),
    "25": (25, 1),
    "29.97": (30, 1.001),
    "30": (30, 1),
    "60": (60, 1),
    "5": (5, 1),
}


@pytest.fixture
def ready(preferences, fake_backend, add_image, character):
    """A scene that lacks nothing but the strip."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    return character()


def channels(rig):
    animation = rig.animation_data
    return animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves


def key_frames(curve):
    return [point.co[0] for point in curve.keyframe_points]


def evaluated_pixels(rig, width):
    from blender_addon._shared import landmarks
    from blender_addon.coordinates import CropPlane

    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    heads = np.array([evaluated.matrix_world @ evaluated.pose.bones[name].head for name in landmarks.NAMES])
    return CropPlane(width).to_pixels(heads[:, (0, 2)])


@pytest.mark.parametrize("rate", RATES)
def test_keys_lie_exactly_on_the_strips_frames_and_bones_on_the_curves(ready, fake_backend, add_strip, rate):
    fps, fps_base = RATES[rate]
    strip = add_strip(start=37, left=10, right=2, fps=fps, fps_base=fps_base)
    ready.width, ready.use_texture = 2.0, False
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    frames = list(range(47, strip.frame_final_end))
    assert frames[-1] == 37 + round(4 * fps / fps_base) - 3
    curves = channels(ready.rig)
    assert len(curves) == 144
    assert all(key_frames(curve) == frames for curve in curves)
    for index in (0, 1, len(frames) // 2, len(frames) - 1):
        bpy.context.scene.frame_set(frames[index])
        expected = fake_backend.turned(len(frames), 0.3)[index]
        np.testing.assert_allclose(evaluated_pixels(ready.rig, 2.0), expected, atol=1e-3)
    times = fake_backend.messages("AnimateRequest")[0].frame_times
    np.testing.assert_allclose(np.diff(times), fps_base / fps, rtol=1e-6)


def test_pictures_lie_on_the_same_frames_as_the_keys(ready, fake_backend, add_strip):
    from blender_addon.pictures import texture_plane

    add_strip(start=37, left=10, fps=24)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    plane = ready.plane
    user = texture_plane.image_node(plane).image_user
    assert (user.frame_start, user.frame_duration) == (47, 86)
    assert plane.parent == ready.rig
    folder = Path(bpy.path.abspath(texture_plane.image_node(plane).image.filepath)).parent
    assert len(list(folder.glob("frame_*.png"))) == 87  # the one before the strip, too
    for number in (1, 50, 86):
        image = bpy.data.images.load(str(folder / f"frame_{number:04d}.png"))
        pixel = np.round(np.array(image.pixels[-4:]) * 255)
        np.testing.assert_array_equal(pixel, (number - 1, 256 - number, 77, 255))


def test_a_second_press_reuses_rig_and_plane(ready, add_strip):
    add_strip(fps=24)
    bpy.ops.speechface.generate()
    rig, plane = ready.rig, ready.plane
    rig.location = (0, 0, 3)
    count = len(bpy.data.objects)
    bpy.context.scene.sequence_editor.strips[0].frame_offset_start = 20
    bpy.ops.speechface.generate()
    assert (ready.rig, ready.plane) == (rig, plane)
    assert tuple(rig.location) == (0, 0, 3)
    assert len(bpy.data.objects) == count
    assert key_frames(channels(rig)[0]) == list(range(21, 97))


def test_curves_alone_need_no_photo(ready, fake_backend, add_strip):
    add_strip()
    ready.images.clear()
    ready.use_texture = False
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert ready.plane is None
    assert ready.rig is not None
    assert fake_backend.messages("AnimateRequest")[0].wants_texture is False


def test_the_picture_alone_makes_no_rig(ready, add_strip):
    add_strip()
    ready.use_curves = False
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert ready.rig is None
    assert ready.plane is not None


def test_settings_reach_the_backend(ready, fake_backend, add_strip):
    add_strip()
    ready.epochs, ready.seed, ready.use_blink = 3, 42, False
    bpy.ops.speechface.generate()
    adapt, animate = fake_backend.messages("AdaptRequest")[0], fake_backend.messages("AnimateRequest")[0]
    assert (adapt.epochs, adapt.seed, animate.seed, animate.wants_blink) == (3, 0, 42, False)
    assert adapt.images[0].shape == (48, 64, 3)


def test_controls_of_the_motion_reach_the_backend_and_only_liveliness_is_on_at_first(ready, fake_backend, add_strip):
    from blender_addon._shared import motion_controls

    add_strip()
    bpy.ops.speechface.generate()
    ready.silence, ready.intensity, ready.smoothing, ready.lead = 1, 1.3, 0.2, -0.2
    ready.blink_frequency, ready.blink_duration, ready.liveliness = 0.1, 4, 1.5
    bpy.ops.speechface.generate()
    first, second = (message.controls for message in fake_backend.messages("AnimateRequest"))
    assert first == motion_controls.MotionControls(liveliness=motion_controls.LIVELINESS)
    assert second == motion_controls.MotionControls(
        silence=1.0, intensity=1.3, smoothing=0.2, lead=-0.2, blink_frequency=0.1, blink_duration=4.0, liveliness=1.5
    )


def test_one_undo_step_takes_all_back(ready, add_strip):
    add_strip()
    scene = bpy.context.scene.name
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.speechface.generate()
    bpy.ops.ed.undo_push(message="Generate")  # a window pushes this step by itself
    assert len(bpy.data.actions) == 1
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == 0
    assert [o.type for o in bpy.data.scenes[scene].objects] == []
    bpy.ops.ed.redo()
    assert len(bpy.data.actions) == 1
    assert len(bpy.data.scenes[scene].objects) == 2


def test_a_failure_leaves_the_scene_and_the_disk_as_they_were(ready, fake_backend, add_strip, preferences):
    add_strip()
    fake_backend.fails_with = "image 1 holds no face; choose a photo that shows one"
    with pytest.raises(RuntimeError, match="Image 1 holds no face; choose a photo that shows one"):
        bpy.ops.speechface.generate()
    assert len(bpy.data.objects) == 0
    assert list((Path(preferences.data_folder) / "pictures").iterdir()) == []


def test_a_cancelled_job_leaves_nothing(ready, fake_backend, add_strip, preferences, addon, begin):
    from blender_addon import generation
    from blender_addon._shared import errors
    from blender_addon.session import session

    add_strip()
    fake_backend.holds = True
    running = begin()
    assert bpy.ops.speechface.cancel() == {"FINISHED"}
    running.job.tick()
    assert running.job.is_over
    with pytest.raises(errors.Cancelled):
        generation.end_at_once(bpy.context)
    assert session.generation is None
    assert len(bpy.data.objects) == 0
    assert list((Path(preferences.data_folder) / "pictures").iterdir()) == []


@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_cancel_while_results_are_written_leaves_nothing_either(ready, add_strip, begin, preferences, step):
    from blender_addon import generation
    from blender_addon._shared import errors

    add_strip()
    begin().run_until_done(timeout=20)
    steps = generation.end(bpy.context)
    for _ in range(step):
        next(steps)
    assert bpy.ops.speechface.cancel() == {"FINISHED"}
    with pytest.raises(errors.Cancelled):
        for _ in steps:
            pass
    assert [len(kind) for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.meshes)] == [0, 0, 0]
    assert list((Path(preferences.data_folder) / "pictures").iterdir()) == []


def test_a_scene_that_is_gone_is_said(ready, add_strip, begin):
    from blender_addon import generation
    from blender_addon._shared import errors

    add_strip()
    first = bpy.context.scene
    begin().run_until_done(timeout=20)
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(first)
    with pytest.raises(errors.SpeechFaceError, match="is gone"):
        generation.end_at_once(bpy.context)


def test_another_scene_may_be_active_at_the_end(ready, add_strip, begin):
    from blender_addon import generation

    add_strip()
    first = bpy.context.scene
    begin().run_until_done(timeout=20)
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    generation.end_at_once(bpy.context)
    assert {o.type for o in first.objects} == {"ARMATURE", "MESH"}
    assert len(bpy.context.scene.objects) == 0


def test_every_reason_why_not(preferences, fake_backend, add_strip, add_image, character):
    from blender_addon import orders
    from blender_addon.speakers import cast

    wanted = character()

    def reason():
        text = orders.disabled_reason(bpy.context)
        assert bpy.ops.speechface.generate.poll() == (not text)
        return text

    preferences.connection_file = str(fake_backend.connection_file)
    wanted.use_curves = wanted.use_texture = False
    assert reason() == "Nothing to make: choose a rig, or tick Landmark Curves or Face Picture"
    wanted.use_texture = True
    assert reason() == "Face Picture needs a photo: add at least one"
    add_image()
    assert reason().startswith("There is no sound strip")
    strip = add_strip()
    assert reason() == ""
    voice = cast.add_voice(wanted, bpy.context.scene, strip)
    voice.is_used = False
    assert reason().startswith("No sound strip of 'Character' is ticked")
    voice.is_used = True
    assert reason() == ""
    strip.frame_final_end = 3601 * 24
    assert "trim or split it to at most 60 minutes" in reason()
    strip.frame_final_end = 20
    preferences.connection_file, preferences.python = "", "/no/such/python"
    assert "The backend's Python /no/such/python" in reason()


def test_silence_and_bad_images_are_refused_before_anything_starts(
    ready, fake_backend, add_strip, speech_file, tmp_path
):
    strip = add_strip(path=speech_file(silent=True))
    with pytest.raises(RuntimeError, match="is silent"):
        bpy.ops.speechface.generate()
    strip.sound.filepath = str(speech_file(name="good.wav"))
    bad = tmp_path / "photo.png"
    bad.write_text("not an image")
    ready.images.add().image = bpy.data.images.load(str(bad))
    with pytest.raises(RuntimeError, match=r"photo.png cannot be read"):
        bpy.ops.speechface.generate()
    assert fake_backend.received == []


def test_the_sequencers_scene_may_hold_the_sound(ready, add_strip, monkeypatch):
    from blender_addon import compat, orders
    from blender_addon.speakers import cast

    add_strip(fps=24)
    sequenced = bpy.context.scene
    other = bpy.data.scenes.new("Animation")
    bpy.context.window.scene = other
    cast.add(other).images.add().image = ready.images[0].image
    monkeypatch.setattr(compat, "sequencer_scene", lambda context: sequenced)
    other.render.fps = 25
    assert "have different frame rates" in orders.disabled_reason(bpy.context)
    other.render.fps = 24
    assert orders.disabled_reason(bpy.context) == ""
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert cast.active(other).rig.name in other.objects


def test_notes_of_pictures_and_sound_are_shown_until_the_next_generation(ready, fake_backend, add_strip):
    from blender_addon.session import session

    add_strip()
    fake_backend.has_notes = True
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    name = ready.images[0].image.name
    told = "several faces are seen, and the largest was taken; press Find Landmarks, and choose the right one there"
    assert session.notes == [f"{name}: {told}", "speech.wav: nobody speaks"]
    fake_backend.has_notes = False
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert session.notes == []


def test_photos_reach_the_backend_as_files_and_no_other_image_is_needed(ready, fake_backend, add_strip, tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))
    add_strip(fps=24)
    ready.images.clear()
    ready.images.add().image = bpy.data.images.load(str(path))
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    adapt = fake_backend.messages("AdaptRequest")[0]
    assert (len(adapt.images), adapt.names) == (0, ("photo.heic",))
    assert adapt.files[0].tobytes() == path.read_bytes()


def test_what_is_odd_in_the_sound_is_shown_and_its_level_is_left_to_the_backend(
    ready, fake_backend, add_strip, tmp_path
):
    from blender_addon.session import session

    path = tmp_path / "voice.wav"
    left = 2 * np.sin(np.arange(16_000) / 9).astype("<f4")
    sound = np.stack([left, -left], 1).tobytes()
    header = struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 3, 2, 16_000, 128_000, 8, 32, b"data", len(sound))
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(header) + len(sound)) + b"WAVE" + header + sound)
    strip = add_strip(path=path, fps=25)
    strip.sound.pack()
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert [note.split(" of 2 alone")[0] for note in session.notes] == ["voice.wav: channel 1"]
    assert np.abs(fake_backend.messages("AnimateRequest")[0].speech).max() == pytest.approx(2, abs=0.01)


def test_a_strip_that_shows_only_what_its_file_lacks_is_said(ready, fake_backend, add_strip, tmp_path):
    import aud

    path = tmp_path / "half.mp3"
    noise = np.random.default_rng(1).normal(0, 0.1, (6 * 16_000, 1)).astype(np.float32)
    sound = aud.Sound.buffer(noise, 16_000)
    sound.write(str(path), 16_000, 1, aud.FORMAT_FLOAT32, aud.CONTAINER_MP3, aud.CODEC_MP3, 64_000, 1024)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    add_strip(path=path, fps=25, left=100)
    with pytest.raises(RuntimeError, match=r"no part of its sound; half.mp3: 3\.[01] s of its 6\.[01] s are missing"):
        bpy.ops.speechface.generate()
