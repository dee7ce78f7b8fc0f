"""Tests that the visible part of a strip is heard, on exactly the scene frames that it covers."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

RATES = {
    "24": (24, 1.0, Fraction(24)),
    "23.976": (24, 1.001, Fraction(24000, 1001)),
    "25": (25, 1.0, Fraction(25)),
    "29.97": (30, 1.001, Fraction(30000, 1001)),
    "30": (30, 1.0, Fraction(30)),
    "60": (60, 1.0, Fraction(60)),
    "5": (5, 1.0, Fraction(5)),
}


@pytest.fixture
def sound_strip(addon):
    from blender_addon.speakers import sound_strip

    return sound_strip


def read(scene, strip):
    from blender_addon import slices
    from blender_addon.speakers import sound_strip

    return slices.exhaust(sound_strip.read(scene, strip))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("start", "left", "right"), [(1, 0, 0), (37, 10, 0), (-12, 3, 5), (100, 0, 7)])
def test_frames_and_times_of_any_strip(sound_strip, add_strip, rate, start, left, right):
    fps, fps_base, exact = RATES[rate]
    strip = add_strip(start, left, right, fps=fps, fps_base=fps_base)
    speech = read(bpy.context.scene, strip)
    content = round(4.0 * exact)
    assert list(speech.scene_frames) == list(range(start + left, start + content - right))
    expected = [float((int(frame) - start) / exact) for frame in speech.scene_frames]
    heard = speech.frame_times + float(left / exact)
    np.testing.assert_allclose(heard, expected, atol=1e-9)
    index = np.clip(np.round(speech.frame_times * 16_000).astype(int), 0, len(speech.samples) - 1)
    inside = np.array(expected) < 3.9
    ramp = 0.1 + 0.8 * np.array(expected) / 4.0  # the sound itself tells the time
    np.testing.assert_allclose(speech.samples[index][inside], ramp[inside], atol=2e-3)


def test_the_strip_of_the_issue(sound_strip, add_strip):
    strip = add_strip(start=37, left=10, fps=24)
    speech = read(bpy.context.scene, strip)
    assert (speech.scene_frames[0], speech.scene_frames[-1]) == (47, 132)
    assert speech.frame_times[0] == pytest.approx(0)
    assert len(speech.samples) == round((96 - 10) / 24 * 16_000)


@pytest.mark.parametrize(("sample_rate", "channels"), [(8_000, 2), (44_100, 1), (96_000, 2)])
def test_any_sample_rate_becomes_16_khz_mono(sound_strip, add_strip, speech_file, sample_rate, channels):
    path = speech_file(2.0, sample_rate, channels)
    speech = read(bpy.context.scene, add_strip(path=path, fps=25))
    assert speech.samples.dtype == np.float32
    assert len(speech.samples) == pytest.approx(32_000, abs=2)
    times = np.arange(400, len(speech.samples) - 400) / 16_000
    np.testing.assert_allclose(speech.samples[400:-400], 0.1 + 0.8 * times / 2.0, atol=5e-3)


def test_a_packed_sound_needs_no_file(sound_strip, add_strip, speech_file):
    path = speech_file()
    strip = add_strip(path=path)
    expected = read(bpy.context.scene, strip).samples
    strip.sound.pack()
    path.unlink()
    np.testing.assert_array_equal(read(bpy.context.scene, strip).samples, expected)


def test_a_sound_offset_delays_the_sound(sound_strip, add_strip):
    strip = add_strip(start=1, fps=25)
    strip.sound_offset = 0.2
    speech = read(bpy.context.scene, strip)
    np.testing.assert_allclose(speech.frame_times[[0, 5]], (-0.2, 0), atol=1e-6)  # Blender keeps float32


def test_an_even_speed_is_followed(sound_strip, add_strip):
    strip = add_strip(start=1, fps=24)
    keys = [SimpleNamespace(timeline_frame=1), SimpleNamespace(timeline_frame=49)]
    faster = SimpleNamespace(
        name="Voice", frame_start=1, frame_final_start=1, frame_final_end=49,
        animation_offset_start=0, sound_offset=0.0, retiming_keys=keys, sound=strip.sound, parent_meta=lambda: None,
    )  # fmt: skip
    speech = read(bpy.context.scene, faster)
    assert len(speech.scene_frames) == 48
    np.testing.assert_allclose(np.diff(speech.frame_times), 2 / 24, atol=1e-12)
    assert len(speech.samples) == 64_000


def test_an_uneven_speed_is_refused(sound_strip):
    keys = [SimpleNamespace(timeline_frame=f) for f in (1, 20, 60)]
    with pytest.raises(sound_strip.errors.SoundError, match="has 3 retiming keys"):
        sound_strip._speed(bpy.context.scene, SimpleNamespace(name="Voice", retiming_keys=keys))


def test_a_missing_file_is_said(sound_strip, add_strip, speech_file):
    path = speech_file()
    strip = add_strip(path=path)
    path.unlink()
    with pytest.raises(sound_strip.errors.SoundError, match="is missing"):
        read(bpy.context.scene, strip)


@pytest.mark.parametrize("content", [b"", b"this is no sound at all" * 40])
def test_a_file_that_is_no_sound_is_said(sound_strip, add_strip, speech_file, content):
    path = speech_file()
    strip = add_strip(path=path)
    path.write_bytes(content)
    with pytest.raises(sound_strip.errors.SoundError, match="cannot be read"):
        read(bpy.context.scene, strip)


def test_silence_is_said(sound_strip, add_strip, speech_file):
    strip = add_strip(path=speech_file(silent=True))
    with pytest.raises(sound_strip.errors.SoundError, match="is silent"):
        read(bpy.context.scene, strip)


def test_more_than_an_hour_is_said_before_it_is_read(sound_strip, add_strip):
    strip = add_strip(fps=24)
    strip.frame_final_end = 3661 * 24
    with pytest.raises(sound_strip.errors.SoundError, match="61 minutes long; trim or split it to at most 60"):
        read(bpy.context.scene, strip)


def test_which_strip_is_meant(sound_strip, add_strip):
    scene = bpy.context.scene
    with pytest.raises(sound_strip.errors.SoundError, match="has no sound strip"):
        sound_strip.find(scene, "")
    first = add_strip(name="One")
    scene.sequence_editor.active_strip = None
    assert sound_strip.find(scene, "") == first
    second = add_strip(start=200, name="Two")
    scene.sequence_editor.active_strip = None
    with pytest.raises(sound_strip.errors.SoundError, match="has 2 sound strips; choose one"):
        sound_strip.find(scene, "")
    scene.sequence_editor.active_strip = second
    assert sound_strip.find(scene, "") == second
    assert sound_strip.find(scene, "One") == first
    with pytest.raises(sound_strip.errors.SoundError, match="Three is not in scene"):
        sound_strip.find(scene, "Three")
