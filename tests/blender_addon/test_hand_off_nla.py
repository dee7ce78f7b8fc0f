"""Tests that what NLA tracks show is handed off, also of characters that are hidden or carried by a parent."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

FRAMES = 12


@pytest.fixture
def hand_off(addon):
    from blender_addon.rigs import hand_off

    return hand_off


@pytest.fixture
def character(addon):
    """A head on an armature whose shape key and bone the add-on keyed on NLA tracks; makes it and returns the values.

    `layering` says what else animates them, with the values that should then be seen.
    """
    from blender_addon.keys import keyframes

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
        rng, scene = np.random.default_rng(1), bpy.context.scene
        scene.render.fps, scene.render.fps_base = fps, fps_base
        scene.frame_start, scene.frame_end = first, first + FRAMES - 1
        bpy.ops.object.armature_add()
        rig = bpy.context.object
        rig.name, rig.pose.bones[0].rotation_mode = "Rig", "XYZ"
        bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
        head = bpy.context.object
        head.name = head.data.name = "Head"
        for name in ("Basis", "jawOpen"):
            key = head.shape_key_add(name=name, from_mix=False)
        for point in key.data:
            point.co.z *= 1.3
        head.vertex_groups.new(name="Bone").add(range(len(head.data.vertices)), 1, "REPLACE")
        head.modifiers.new("Armature", "ARMATURE").object = rig
        head.parent = rig
        seen, manner = [], keyframes.Manner(is_nla=True)
        for owner in (head.data.shape_keys, rig):
            ours, art = rng.uniform(0, 0.6, (2, FRAMES))
            curve = keyframes.Curve(paths[owner.id_type], 0)
            keyframes.write(owner, "Head", np.arange(first, first + FRAMES), [curve], ours[:, None], manner=manner)
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
def test_what_nla_tracks_show_together_is_written(hand_off, character, tmp_path, layering, fps, fps_base, suffix):
    weights, angles = character(layering, fps, fps_base, first=7)
    written = hand_off.hand_off("Head", tmp_path / f"face{suffix}")
    assert (written.frame_count, written.key_count, written.bone_count) == (FRAMES, 1, 1)
    found = imported(hand_off, suffix, 7, fps_base)
    np.testing.assert_allclose(found[0], weights, atol=1e-4)
    np.testing.assert_allclose(found[1], np.abs(angles - angles[0]), atol=2e-3)


def test_a_muted_nla_track_is_named_when_nothing_moves(hand_off, character, tmp_path):
    character()
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
def test_a_hidden_character_in_nested_collections_moves_all_the_same(hand_off, character, tmp_path, what, suffix):
    weights, angles = character()
    hide(what)
    assert hand_off.hand_off("Head", tmp_path / f"face{suffix}").bone_count == 1
    found = imported(hand_off, suffix, 1, 1.0)
    np.testing.assert_allclose(found[0], weights, atol=1e-4)
    np.testing.assert_allclose(found[1], np.abs(angles - angles[0]), atol=2e-3)


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
def test_a_parent_that_moves_carries_the_character(hand_off, character, tmp_path, suffix):
    weights, _ = character()
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
def test_weights_beyond_0_to_1_are_written_where_the_slider_lets_them(hand_off, character, tmp_path, suffix):
    character("added by half")
    key = bpy.data.objects["Head"].data.shape_keys.key_blocks["jawOpen"]
    key.slider_min, key.slider_max = -1, 2
    art = key.id_data.animation_data.nla_tracks[1].strips[0].action
    art.layers[0].strips[0].channelbags[0].fcurves[0].keyframe_points[3].co[1] = 3.0
    hand_off.hand_off("Head", tmp_path / f"face{suffix}")
    assert imported(hand_off, suffix, 1, 1.0)[0][3] > 1.4
