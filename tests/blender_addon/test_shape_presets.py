"""Tests that a shape is kept under a name by Blender's presets, and that those that ship can be chosen."""

from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture(autouse=True)
def _label(addon, monkeypatch):
    """The menu is called as the preset that was chosen last; other tests know it by its own name."""
    monkeypatch.setattr(bpy.types.SPEECHFACE_MT_shape_presets, "bl_label", "Shape Presets")


def presets():
    """The files of the presets, by name."""
    folders = bpy.utils.preset_paths("speech_face/shape")
    return {path.stem: path for folder in folders for path in Path(folder).glob("*.py")}


def choose(name):
    bpy.ops.script.execute_preset(filepath=str(presets()[name]), menu_idname="SPEECHFACE_MT_shape_presets")


def test_those_that_ship_set_every_value_within_its_range(character):
    from blender_addon._shared import motion_controls

    assert set(presets()) >= {"As_Heard", "Calm", "Lively", "Cartoon"}
    controls = set(motion_controls.RANGES) - {"blink_gain"}
    untouched = {control: getattr(motion_controls.UNTOUCHED, control) for control in controls}
    wanted = character()
    for name in ("Cartoon", "As_Heard"):
        choose(name)
        assert ({control: getattr(wanted, control) for control in controls} != untouched) == (name == "Cartoon")
    for path in presets().values():
        text = path.read_text("utf-8")
        lines = dict(line.split(" = ") for line in text.splitlines() if line.startswith("character."))
        for control in controls:
            bounds = motion_controls.RANGES[control]
            assert bounds.least <= float(lines[f"character.{control}"]) <= bounds.most


def test_one_of_ones_own_is_kept_and_chosen(character, tmp_path, monkeypatch):
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_, **__: str(tmp_path))
    character().jaw, character().use_blink = 1.5, False
    assert bpy.ops.speechface.shape_preset_add(name="My Shape") == {"FINISHED"}
    written = next(tmp_path.rglob("*.py"))
    character().jaw, character().use_blink = 1.0, True
    bpy.ops.script.execute_preset(filepath=str(written), menu_idname="SPEECHFACE_MT_shape_presets")
    assert (character().jaw, character().use_blink) == (1.5, False)
