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
    from blender_addon import hand_off

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


@pytest.fixture
def nla_character(addon):
    """A head on an armature whose shape key and bone the add-on keyed on NLA tracks; makes it and returns the values.

    `layering` says what else animates them, with the values that should then be seen.
    """
    from blender_addon import keyframes

    paths = {"KEY": 'key_blocks["jawOpen"].value', "OBJECT": 'pose.bones["Bone"].rotation_euler'}

    def strip(owner, track, start, values):
        action = bpy.data.actions.new("Art")
        slot = action.slots.new(id_type=owner.id_type, name=owner.name)
        bag = action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
        curve = bag.fcurves.new(paths[owner.id_type], index=0)
        for number, value in enumerate(values):
            curve.keyframe_points.insert(start + number, value)
        if track is None:
            owner.animation_data.action, owner.animation_data.action_slot = action, slot
            return None
        made = track.strips.new("Art", start, action)
        made.action_slot = slot
        return made

    def layer(owner, layering, first, ours, art):
        tracks = owner.animation_data.nla_tracks
        if layering == "active action above":
            strip(owner, None, first, art)
            return art
        if layering == "muted track above":
            track = tracks.new()
            strip(owner, track, first, art)
            track.mute = True
        if layering == "added by half":
            made = strip(owner, tracks.new(), first, art)
            made.blend_type, made.use_animated_influence, made.influence = "ADD", True, 0.5
            made.keyframe_insert("influence", frame=first)
            return ours + 0.5 * art
        if layering == "two strips above":
            track = tracks.new()
            early, late = strip(owner, track, first + 1, art[1:4]), strip(owner, track, first + 7, art[7:])
            early.extrapolation = late.extrapolation = "NOTHING"
            return np.concatenate([ours[:1], art[1:4], ours[4:7], art[7:]])
        return ours

    def make(layering="alone", fps=25, fps_base=1.0, first=1):
        rng = np.random.default_rng(1)
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = fps, fps_base
        scene.frame_start, scene.frame_end = first, first + FRAMES - 1
        bpy.ops.object.armature_add()
        rig, head = bpy.context.object, sphere("Head")
        rig.name = "Rig"
        rig.pose.bones[0].rotation_mode, head.data.name = "XYZ", "Head"
        add_key(head, "jawOpen", rng)
        head.vertex_groups.new(name="Bone").add(range(len(head.data.vertices)), 1, "REPLACE")
        head.modifiers.new("Armature", "ARMATURE").object = rig
        head.parent = rig
        seen = []
        for owner in (head.data.shape_keys, rig):
            ours, art = rng.uniform(0, 0.6, (2, FRAMES))
            curve = keyframes.Curve(paths[owner.id_type], 0)
            keyframes.write(owner, "Head", np.arange(first, first + FRAMES), [curve], ours[:, None], is_nla=True)
            assert owner.animation_data.action is None
            seen.append(layer(owner, layering, first, ours, art))
        return seen

    return make


def imported(hand_off, suffix, first, fps_base):
    """The weights of jawOpen and the angle of the bone from where it began, as the imported scene shows them."""
    frames = np.arange(FRAMES, dtype=float) if suffix == ".glb" else (first + np.arange(FRAMES)) * fps_base
    motion = hand_off.read_motion(list(bpy.context.scene.objects), frames)
    turned = np.trace(motion.bones["Rig", "Bone"][:, :3, :3], axis1=1, axis2=2)
    return motion.weights["Head", "jawOpen"], np.arccos(np.clip((turned - 1) / 2, -1, 1))


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
@pytest.mark.parametrize(
    ("layering", "fps", "fps_base"),
    [
        ("alone", 24, 1.0),
        ("active action above", 25, 1.0),
        ("muted track above", 30, 1.001),
        ("added by half", 60, 1.0),
        ("two strips above", 24, 1.001),
    ],
)
def test_what_nla_tracks_show_together_is_written(hand_off, nla_character, tmp_path, layering, fps, fps_base, suffix):
    weights, angles = nla_character(layering, fps, fps_base, first=7)
    written = hand_off.hand_off("Head", tmp_path / f"face{suffix}")
    assert (written.frame_count, written.key_count, written.bone_count) == (FRAMES, 1, 1)
    found = imported(hand_off, suffix, 7, fps_base)
    np.testing.assert_allclose(found[0], weights, atol=1e-4)
    np.testing.assert_allclose(found[1], np.abs(angles - angles[0]), atol=2e-3)


def test_a_muted_nla_track_is_named_when_nothing_moves(hand_off, nla_character, tmp_path):
    nla_character()
    for owner in (bpy.data.objects["Rig"], bpy.data.objects["Head"].data.shape_keys):
        owner.animation_data.nla_tracks[0].mute = True
    with pytest.raises(hand_off.errors.ValueRangeError, match="12; switch its NLA track 'Speech Face' on, or choose"):
        hand_off.hand_off("Rig", tmp_path / "face.glb")


def hide(what):
    """Hides the character in one of the ways that a scene has."""
    outer, inner = bpy.data.collections.new("Outer"), bpy.data.collections.new("Inner")
    bpy.context.scene.collection.children.link(outer)
    outer.children.link(inner)
    objects = [bpy.data.objects["Rig"], bpy.data.objects["Head"]]
    for item in objects:
        bpy.context.collection.objects.unlink(item)
        inner.objects.link(item)
    if what == "mesh":
        objects[1].hide_viewport = True
    elif what == "armature in renders":
        objects[0].hide_render = True
    elif what == "eye of a collection":
        bpy.context.view_layer.layer_collection.children["Outer"].hide_viewport = True
    elif what == "collection":
        outer.hide_viewport = True
    elif what == "cannot be selected":
        outer.hide_select = True


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
@pytest.mark.parametrize(
    "what", ["nothing", "mesh", "armature in renders", "eye of a collection", "collection", "cannot be selected"]
)
def test_a_hidden_character_in_nested_collections_moves_all_the_same(hand_off, nla_character, tmp_path, what, suffix):
    weights, angles = nla_character()
    hide(what)
    assert hand_off.hand_off("Head", tmp_path / f"face{suffix}").bone_count == 1
    found = imported(hand_off, suffix, 1, 1.0)
    np.testing.assert_allclose(found[0], weights, atol=1e-4)
    np.testing.assert_allclose(found[1], np.abs(angles - angles[0]), atol=2e-3)


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
def test_a_parent_that_moves_carries_the_character(hand_off, nla_character, tmp_path, suffix):
    weights, _ = nla_character()
    stage = bpy.data.objects.new("Stage", None)
    bpy.context.scene.collection.objects.link(stage)
    stage.rotation_euler = (0.2, 0.3, 0.4)
    bpy.data.objects["Rig"].parent = stage
    for frame in (1, FRAMES):
        stage.location.x = frame
        stage.keyframe_insert("location", frame=frame)
    hand_off.hand_off("Rig", tmp_path / f"face{suffix}")
    frames = range(FRAMES) if suffix == ".glb" else range(1, FRAMES + 1)
    motion = hand_off.read_motion(list(bpy.context.scene.objects), frames)
    np.testing.assert_allclose(motion.weights["Head", "jawOpen"], weights, atol=1e-4)
    bpy.context.scene.frame_set(frames[-1])
    start = bpy.data.objects["Rig"].matrix_world.translation.x
    bpy.context.scene.frame_set(frames[0])
    assert start - bpy.data.objects["Rig"].matrix_world.translation.x == pytest.approx(FRAMES - 1, abs=1e-3)


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
def test_weights_beyond_0_to_1_are_written_where_the_slider_lets_them(hand_off, nla_character, tmp_path, suffix):
    nla_character("added by half")
    key = bpy.data.objects["Head"].data.shape_keys.key_blocks["jawOpen"]
    key.slider_min, key.slider_max = -1, 2
    art = key.id_data.animation_data.nla_tracks[1].strips[0].action
    art.layers[0].strips[0].channelbags[0].fcurves[0].keyframe_points[3].co[1] = 3.0
    hand_off.hand_off("Head", tmp_path / f"face{suffix}")
    assert imported(hand_off, suffix, 1, 1.0)[0][3] > 1.4


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
