"""Tests the table of a character's channels: detection, editing, files, preview, and what survives a saved file."""

import math

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

KEYS = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthSmileLeft",
        "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
        "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")  # fmt: skip


@pytest.fixture
def rig(preferences, character):
    return character().rigging


def test_picking_a_character_detects_its_rig(rig, add_mesh, character):
    rig.character = add_mesh("Head", (*KEYS, "hat"))
    assert (rig.kind, rig.problem) == ("arkit", "")
    assert rig.confidence > 0.5
    assert [row.name for row in rig.channels] == sorted(KEYS, key=order)
    assert rig.channels["mouthClose"].sources == "mouthClose 1"
    assert "names of arkit" in rig.why
    assert not character().use_texture  # there is no photo
    rig.character = None
    assert (rig.kind, len(rig.channels)) == ("", 0)


def order(name):
    from blender_addon._shared import presets

    return [channel.name for channel in presets.open_preset("arkit").channels].index(name)


def test_japanese_vowels_are_detected(rig, add_mesh):
    rig.character = add_mesh("頭", ("あ", "い", "う", "え", "お", "まばたき"))
    assert rig.kind == "mmd"
    assert {"あ", "お"} <= {row.name for row in rig.channels}


def test_names_that_say_nothing_are_left_to_solving(rig, add_mesh):
    from blender_addon.rigs import rigging

    rig.character = add_mesh("Head", ("q1", "q2", "q3"))
    assert (rig.kind, rig.confidence) == ("unknown", 0)
    assert rigging.is_solved(rig)
    rig.method = "NAMES"
    assert not rigging.is_solved(rig)
    assert "table of channels is empty" in rigging.reason_against(rig)


def test_a_character_that_cannot_be_used_is_said_and_picked_again(rig, add_mesh):
    head = add_mesh("Head")
    rig.character = head
    assert "has no shape keys and no bones" in rig.problem
    with pytest.raises(RuntimeError, match="Head has no shape keys"):
        bpy.ops.speechface.detect_rig()
    for name in ("Basis", *KEYS):
        head.shape_key_add(name=name, from_mix=False)
    assert bpy.ops.speechface.detect_rig() == {"FINISHED"}
    assert (rig.kind, rig.problem) == ("arkit", "")


def test_the_table_is_the_mapping_and_survives_a_saved_file(rig, add_mesh, add_armature, tmp_path, character):
    from blender_addon._shared import presets
    from blender_addon.rigs import rigging

    head = add_mesh("Head", KEYS)
    rig.character = head
    for name in presets.preset_names():  # bones, poses and held pictures too
        assert bpy.ops.speechface.choose_preset(preset=name) == {"FINISHED"}
        assert rigging.mapping_of(rig).channels == presets.open_preset(name).channels
    bpy.ops.speechface.choose_preset(preset="rigify")
    rig.channels[0].sources = "jawOpen 0.5, mouthClose -0.25"
    rig.channels[0].gain, rig.gain, rig.is_mirrored, rig.method = 0.7, 1.25, True, "NAMES"
    before = rigging.mapping_of(rig)
    assert [(s.shape, s.gain) for s in before.channels[0].sources] == [("jawOpen", 0.5), ("mouthClose", -0.25)]
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = character().rigging
    assert rigging.mapping_of(again) == before
    assert (again.character.name, again.method, again.kind) == ("Head", "NAMES", "rigify")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jawOpen 1 2", '"jawOpen 1 2" is no source; write a shape and its gain'),
        ("jawOpen wide", '"wide" is no number; write jawOpen 1.0'),
        ("jawOpem", 'did you mean "jawOpen"'),
        ("jawOpen 1, jawOpen 2", 'has the source "jawOpen" twice'),
    ],
)
def test_sources_that_cannot_be_are_said_with_the_channel(rig, add_mesh, text, sentence):
    from blender_addon import orders

    rig.character = add_mesh("Head", KEYS)
    rig.channels[1].sources = text
    assert sentence in orders.disabled_reason(bpy.context)
    assert rig.channels[1].name.lower() in orders.disabled_reason(bpy.context).lower()
    rig.channels[1].sources = " jawOpen ; mouthClose -.5,"
    assert rig.channels[1].name not in orders.disabled_reason(bpy.context)


def test_mappings_are_saved_and_loaded(rig, add_mesh, tmp_path):
    from blender_addon.rigs import rigging

    rig.character = add_mesh("Head", KEYS)
    rig.channels[0].gain = 0.25
    wanted = rigging.mapping_of(rig)
    path = tmp_path / "mine.json"
    assert bpy.ops.speechface.save_mapping(filepath=str(path)) == {"FINISHED"}
    bpy.ops.speechface.detect_rig()
    assert rig.channels[0].gain == 1
    assert bpy.ops.speechface.load_mapping(filepath=str(path)) == {"FINISHED"}
    assert rigging.mapping_of(rig) == wanted
    newer = tmp_path / "newer.json"
    newer.write_text(path.read_text("utf-8").replace('"version": 1', '"version": 9'), "utf-8")
    with pytest.raises(RuntimeError, match="the version is 9 and this release reads 1; update Speech Face"):
        bpy.ops.speechface.load_mapping(filepath=str(newer))
    with pytest.raises(RuntimeError, match="is no file"):
        bpy.ops.speechface.load_mapping(filepath=str(tmp_path / "none.json"))
    assert rigging.mapping_of(rig) == wanted  # a bad file changes nothing


def test_channels_are_added_and_removed(rig, add_mesh):
    rig.character = add_mesh("Head", (*KEYS, "hat"))
    count = len(rig.channels)
    bpy.ops.speechface.add_channel()
    assert rig.channels[rig.active_channel].name == "hat"
    bpy.ops.speechface.remove_channel()
    assert len(rig.channels) == count
    assert "hat" not in rig.channels


def test_a_preview_shows_the_channel_on_all_meshes_and_leaves_nothing(rig, add_mesh):
    from blender_addon.rigs import character, preview, rig_table

    head = add_mesh("Head", KEYS)
    teeth = add_mesh("Teeth", KEYS[:1], parent=head)
    rig.character = head
    values = [mesh.data.shape_keys.key_blocks["jawOpen"] for mesh in (head, teeth)]
    values[0].value = 0.25
    shown = preview.Preview(character.read(head), rig_table.channel_of(rig.channels["jawOpen"]))
    shown.show(0.75)
    assert [block.value for block in values] == [0.75, 0.75]
    shown.restore()
    assert [block.value for block in values] == [0.25, 0]
    values[0].value = 0
    index = rig.channels.find("jawOpen")
    assert bpy.ops.speechface.preview_channel(index=index, value=1.0) == {"FINISHED"}
    assert [block.value for block in values] == [0, 0]
    rig.channels[index].name = "nothing"
    with pytest.raises(RuntimeError, match="Nothing cannot be shown: no shape key has this name"):
        bpy.ops.speechface.preview_channel(index=index)


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
def test_a_preview_of_a_bone_turns_it_in_its_own_mode(rig, add_armature, mode):
    from blender_addon.rigs import character, preview, rig_table

    armature = add_armature(bones=("root", "jaw"), mode=mode)
    rig.character = armature
    assert rig.kind == "jaw_bone"
    channel = rig_table.channel_of(rig.channels[0])
    shown = preview.Preview(character.read(armature), channel)
    shown.show(1.0)
    bpy.context.view_layer.update()
    turned = armature.pose.bones["jaw"].matrix_basis.to_euler()
    assert math.degrees(turned.x) == pytest.approx(channel.bone.amount, abs=1e-3)
    assert (turned.y, turned.z) == pytest.approx((0, 0), abs=1e-6)
    shown.restore()
    bpy.context.view_layer.update()
    assert armature.pose.bones["jaw"].matrix_basis.to_euler().x == pytest.approx(0, abs=1e-6)
