"""Tests that words of the shipped speech stand on the timeline where the real backend hears them."""

import os
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
TEXT = "Good morning. Before you move my mouth, look how few words bring my face to life."
FPS = 24

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON"),
]


@pytest.fixture
def voice(own_backend, add_strip, character):
    """The row of a strip from frame 101 on, whose first second is cut off, with its text."""
    from blender_addon.speakers import cast

    strip = add_strip(start=101, left=FPS, fps=FPS, path=ROOT / "backend_server" / "samples" / "speech.wav")
    made = cast.add_voice(character(), bpy.context.scene, strip)
    made.transcript = bpy.data.texts.new("Line")
    character().use_texture, character().keys.markers = False, "WORDS"
    return made


def shown():
    return {marker.name.removeprefix("SF "): marker.frame for marker in bpy.context.scene.timeline_markers}


def test_words_stand_on_the_frames_on_which_they_are_said(voice):
    from blender_addon.session import session

    voice.transcript.write(TEXT.partition(". ")[2])
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    found = shown()
    for word, second in (("Before", 1.14), ("look", 2.64), ("bring", 4.33), ("face", 4.81)):
        assert found[word] == pytest.approx(101 + FPS * second, abs=2)
    assert session.notes == []


def test_the_text_of_another_sound_is_said_with_the_name_of_the_strips_file(voice):
    from blender_addon.session import session

    voice.transcript.write("The quick brown fox jumps over the lazy dog and runs away through the garden.")
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert shown() == {}
    assert session.notes[0].startswith("speech.wav: the transcript does not fit the sound")
    assert session.notes[1].startswith("No word of Voice is marked")
