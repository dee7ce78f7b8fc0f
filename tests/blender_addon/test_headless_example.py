"""Tests that the example makes a scene without a window."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "blender_headless.py"


@pytest.mark.parametrize("has_photo", [True, False])
def test_a_scene_is_made_and_saved(preferences, fake_backend, speech_file, tmp_path, monkeypatch, capsys, has_photo):
    from blender_addon.pictures.png_writer import encode_png

    preferences.connection_file = str(fake_backend.connection_file)
    photo, out = tmp_path / "me.png", tmp_path / "out.blend"
    photo.write_bytes(encode_png(np.full((64, 48, 3), 100, np.uint8)))
    photos = [str(photo)] if has_photo else []
    monkeypatch.setattr(sys, "argv", ["blender", "-b", "--", str(speech_file(1.0)), *photos, str(out)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "has keys from (1.0, 24.0)" in capsys.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(out))
    character = bpy.context.scene.speech_face.characters[0]
    assert (character.rig is not None, character.plane is not None) == (True, has_photo)
    assert (tmp_path / "speech_face").is_dir() == has_photo


def test_too_few_arguments_are_said(addon, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["blender", "-b", "--"])
    with pytest.raises(SystemExit, match="give a sound file"):
        runpy.run_path(str(EXAMPLE), run_name="__main__")
