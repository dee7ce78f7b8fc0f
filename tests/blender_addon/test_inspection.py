"""Tests what `python -m blender_addon rig` prints of a character, and what it says of bad input."""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

KEYS = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthSmileLeft",
        "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper")  # fmt: skip


@pytest.fixture
def rig(addon, capsys):
    """Runs the command and returns its exit code, what it printed, and what it complained of."""
    from blender_addon import __main__

    def rig(path, name):
        code = __main__.main(["rig", "--blend", str(path), "--object", name])
        printed = capsys.readouterr()
        own = [line for line in printed.out.splitlines(keepends=True) if "| Read blend" not in line]
        return code, "".join(own), printed.err

    return rig


@pytest.fixture
def saved(add_mesh, tmp_path, capsys):
    head = add_mesh("Head", (*KEYS, "corr_jaw"))
    add_mesh("Teeth", KEYS[:1], parent=head)
    add_mesh("Nonsense", ("q1", "q2"), location=(9, 0, 0))
    path = tmp_path / "character.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    capsys.readouterr()  # Blender's own words
    return path


def test_kind_confidence_channels_and_what_is_skipped_are_printed(rig, saved):
    code, out, err = rig(saved, "Head")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert "Head: arkit, confidence 0." in out
    assert "meshes with shape keys that can be moved: Head (12), Teeth (1)" in lines
    assert "channels: 12" in lines
    assert "  mouthClose: mouthClose 1" in lines
    assert "  corr_jaw of Head: corrects a combination of other shapes" in lines


def test_names_that_say_nothing_are_said(rig, saved):
    code, out, _ = rig(saved, "Nonsense")
    assert code == 0
    assert "Nonsense: unknown, confidence 0.00" in out
    assert "fitted by how they look" in out


def test_bad_input_is_one_sentence_and_the_code_2(rig, saved, tmp_path):
    code, out, err = rig(saved, "Haed")
    assert (code, out) == (2, "")
    assert err == f'{saved} has no object "Haed"; it has Head\n'
    assert rig(tmp_path / "none.blend", "Head") == (2, "", f"{tmp_path / 'none.blend'} is no file; give a .blend\n")
    broken = tmp_path / "broken.blend"
    broken.write_bytes(b"no blend at all")
    code, _, err = rig(broken, "Head")
    assert code == 2
    assert f"{broken} cannot be opened" in err
