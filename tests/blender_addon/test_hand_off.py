"""Tests that a character written as glTF or FBX has every weight and the scene's rate when it is imported again."""

import json
import struct

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

FRAMES = 12


def sphere(name):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.name = name
    head.shape_key_add(name="Basis")
    return head


def add_key(head, name, rng):
    key = head.shape_key_add(name=name, from_mix=False)
    for point in key.data:
        point.co.x += rng.normal(0, 0.1)
    return key


def animate(key, first, rng):
    for frame in range(first, first + FRAMES):
        key.value = rng.uniform()
        key.keyframe_insert("value", frame=frame)


@pytest.fixture
def hand_off(addon):
    from blender_addon.rigs import hand_off

    return hand_off


@pytest.fixture
def character():
    """A head with keys that are animated, driven, muted and still, and teeth, on a skewed armature that turns."""

    def make(fps=25, fps_base=1.0, first=1):
        rng = np.random.default_rng(0)
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = fps, fps_base
        scene.frame_start, scene.frame_end = first, first + FRAMES - 1
        bpy.ops.object.armature_add()
        rig = bpy.context.object
        rig.name = "Rig"
        rig.location, rig.rotation_euler = (1, 2, 3), (0.3, 0.2, 0.1)
        head, teeth = sphere("頭"), sphere("Teeth")
        animate(add_key(head, "jawOpen", rng), first, rng)
        driven = add_key(head, "口", rng).driver_add("value").driver
        driven.type, driven.expression = "SCRIPTED", "1 - jaw"
        variable = driven.variables.new()
        variable.name = "jaw"
        variable.targets[0].id_type, variable.targets[0].id = "KEY", head.data.shape_keys
        variable.targets[0].data_path = 'key_blocks["jawOpen"].value'
        muted = add_key(head, "muted", rng)
        muted.mute, muted.value = True, 0.75
        add_key(head, "still", rng).value = 0.25
        animate(add_key(teeth, "jawOpen", rng), first, rng)
        for mesh in (head, teeth):
            mesh.vertex_groups.new(name="Bone").add(range(len(mesh.data.vertices)), 1, "REPLACE")
            mesh.modifiers.new("Armature", "ARMATURE").object = rig
            mesh.parent = rig
        bone = rig.pose.bones[0]
        bone.rotation_mode = "XYZ"
        for frame in range(first, first + FRAMES):
            bone.rotation_euler.x = rng.uniform(-1, 1)
            bone.keyframe_insert("rotation_euler", frame=frame)
        return rig

    return make


@pytest.mark.parametrize("name", ["頭", "Rig"])
@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
@pytest.mark.parametrize(("fps", "fps_base", "first"), [(25, 1.0, 1), (24, 1.001, 1), (30, 1.001, 0), (60, 1.0, 101)])
def test_weights_bones_and_rate_survive(hand_off, character, tmp_path, fps, fps_base, first, suffix, name):
    character(fps, fps_base, first)
    written = hand_off.hand_off(name, tmp_path / f"face{suffix}")
    assert (written.frame_count, written.key_count, written.bone_count) == (FRAMES, 4, 1)
    assert written.largest_error < 1e-3
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == [f"face{suffix}"]
    keys = [key for mesh in bpy.data.meshes if mesh.shape_keys for key in mesh.shape_keys.key_blocks[1:]]
    assert sorted(key.name for key in keys if key.name != "muted") == ["jawOpen", "jawOpen", "still", "口"]
    assert [key.value for key in keys if key.name == "muted"] == [0.0] * (suffix == ".fbx")
    assert [key.value for key in keys if key.name == "still"] == [0.25]
    if suffix == ".fbx":  # Blender reads the rate from the file
        render = bpy.context.scene.render
        assert render.fps / render.fps_base == pytest.approx(fps / fps_base, rel=1e-5)


def glb(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length])


def test_seconds_in_a_glb_are_those_of_the_scene_and_begin_at_0(hand_off, character, tmp_path):
    character(24, 1.001)
    hand_off.hand_off("頭", tmp_path / "face.glb")
    document = glb(tmp_path / "face.glb")
    inputs = {sampler["input"] for animation in document["animations"] for sampler in animation["samplers"]}
    bounds = [(document["accessors"][i]["min"][0], document["accessors"][i]["max"][0]) for i in inputs]
    assert {low for low, _ in bounds} == {0}
    assert max(high for _, high in bounds) == pytest.approx((FRAMES - 1) * 1.001 / 24, rel=1e-6)
    assert hand_off.glb_seconds(tmp_path / "face.glb") == pytest.approx((FRAMES - 1) * 1.001 / 24, rel=1e-6)


def test_a_weight_that_comes_back_changed_is_an_error_and_nothing_is_written(
    hand_off, character, tmp_path, monkeypatch
):
    def read(path, *rate, real=hand_off._read_gltf):
        real(path, *rate)
        for action in bpy.data.actions:
            for bag in action.layers[0].strips[0].channelbags:
                for curve in (curve for curve in bag.fcurves if "jawOpen" in curve.data_path):
                    curve.keyframe_points[5].co[1] = 0.5

    monkeypatch.setattr(hand_off, "_read_gltf", read)
    character()
    with pytest.raises(hand_off.errors.SpeechFaceError, match=r"face\.glb differs by 0\.\d{4} in a weight"):
        hand_off.hand_off("頭", tmp_path / "face.glb")
    assert list(tmp_path.iterdir()) == []


def test_a_rate_that_the_file_does_not_have_is_an_error(hand_off, character, tmp_path, monkeypatch):
    monkeypatch.setattr(hand_off, "glb_seconds", lambda path: 9.0)
    character()
    with pytest.raises(hand_off.errors.SpeechFaceError, match=r"with 9\.000 s, and 12 frames at 25 per second take"):
        hand_off.hand_off("頭", tmp_path / "face.glb")


def test_a_missing_exporter_is_said_in_one_sentence(hand_off, character, tmp_path, monkeypatch):
    monkeypatch.setattr(hand_off.addon_utils, "enable", lambda module: None)
    character()
    with pytest.raises(hand_off.errors.ValueRangeError, match=r"no FBX exporter \(io_scene_fbx\); take a Blender from"):
        hand_off.hand_off("頭", tmp_path / "face.fbx")


def test_what_cannot_be_exported_is_named(hand_off, character, tmp_path):
    def refusal(name="頭", out="face.glb", frames=None):
        with pytest.raises(hand_off.errors.ValueRangeError) as caught:
            hand_off.hand_off(name, tmp_path / out, frames)
        return caught.value.sentence

    assert refusal() == "the scene has no mesh"
    character()
    assert refusal("Face") == "the scene has no mesh or armature 'Face'; it has 'Rig', 'Teeth', '頭'"
    assert refusal(out="face.obj") == "face.obj ends with neither .glb nor .fbx; choose one of these"
    assert refusal(frames=(5, 4)) == "frames 5 to 4 cannot be exported; begin at 0 or later"
    assert refusal(frames=(50, 60)).startswith("'頭' does not move between frames 50 and 60; bake its speech first")
    bpy.ops.mesh.primitive_cube_add()
    assert refusal("Cube") == "'Cube' has neither shape keys nor bones, so nothing of it can move"
    bpy.data.objects["Teeth"].data.shape_keys.use_relative = False
    assert "are absolute" in refusal()


def test_a_collection_that_is_switched_off_is_named(hand_off, character, tmp_path):
    character()
    closet = bpy.data.collections.new("Closet")
    bpy.context.scene.collection.children.link(closet)
    teeth = bpy.data.objects["Teeth"]
    closet.objects.link(teeth)
    bpy.context.scene.collection.objects.unlink(teeth)
    bpy.context.view_layer.layer_collection.children["Closet"].exclude = True
    with pytest.raises(hand_off.errors.ValueRangeError, match="'Teeth' is in a collection that is switched off"):
        hand_off.hand_off("頭", tmp_path / "face.glb")


def test_the_command_writes_and_leaves_the_scene_and_files_of_others_as_they_were(character, addon, tmp_path, capsys):
    from blender_addon import __main__

    character()
    blend, out = tmp_path / "shot.blend", tmp_path / "out" / "face.fbx"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    before = blend.read_bytes()
    out.parent.mkdir()
    out.write_bytes(b"a month's work")
    arguments = ["hand-off", "--blend", str(blend), "--object", "Rig", "--out", str(out)]
    assert __main__.main([*arguments, "--frames", "3", "9"]) == 0
    said = capsys.readouterr().out
    assert f"it is now {out.with_name('face (kept).fbx')}" in said
    assert f"written to {out}: frames 7, shape keys 4, bones 1; imported again" in said
    assert blend.read_bytes() == before
    assert (out.parent / "face (kept).fbx").read_bytes() == b"a month's work"
    arguments[2] = str(tmp_path / "no.blend")
    assert __main__.main(arguments) == 2
    assert capsys.readouterr().err == f"there is no file {tmp_path / 'no.blend'}; give a scene with --blend\n"
