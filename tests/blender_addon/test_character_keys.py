"""Tests that Generate keys a character frame by frame, keeps what artists made, and says what Blender makes of it."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

KEYS = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthSmileLeft",
        "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper")  # fmt: skip


@pytest.fixture
def ready(preferences, fake_backend, character):
    """A scene that lacks strip and character, and makes nothing else."""
    preferences.connection_file = str(fake_backend.connection_file)
    wanted = character()
    wanted.use_texture = wanted.use_curves = False
    return wanted


@pytest.fixture
def said(addon):
    from blender_addon.session import session

    return lambda: session.notes


def curves_of(owner):
    animation = owner.animation_data
    strip = animation.nla_tracks["Speech Face"].strips[0] if animation.action is None else None
    action, slot = (strip.action, strip.action_slot) if strip else (animation.action, animation.action_slot)
    return {curve.data_path: curve for curve in action.layers[0].strips[0].channelbag(slot).fcurves}


def keys_of(mesh, name):
    curve = curves_of(mesh.data.shape_keys)[f'key_blocks["{name}"].value']
    return {point.co[0]: round(point.co[1], 5) for point in curve.keyframe_points}


def value(mesh, name, frame):
    bpy.context.scene.frame_set(frame)
    return mesh.data.shape_keys.key_blocks[name].value


def expected(ready, name, index):
    return (index + [row.name for row in ready.rigging.channels].index(name)) % 10 / 10


@pytest.mark.parametrize("is_nla", [False, True])
@pytest.mark.parametrize(("fps", "fps_base"), [(24, 1.0), (30, 1.001), (60, 1.0)])
def test_keys_lie_on_the_strips_frames_of_all_meshes(ready, add_strip, add_mesh, fps, fps_base, is_nla):
    head = add_mesh("Head", KEYS)
    teeth = add_mesh("Teeth", ("jawOpen", "jawLeft"), parent=head)
    strip = add_strip(start=37, left=10, right=2, fps=fps, fps_base=fps_base)
    ready.rigging.character = head
    ready.keys.use_nla = is_nla
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    frames = list(range(47, int(strip.frame_final_end)))
    assert list(keys_of(head, "jawOpen")) == frames
    assert list(keys_of(teeth, "jawOpen")) == frames
    assert set(curves_of(head.data.shape_keys)) == {f'key_blocks["{name}"].value' for name in KEYS}
    for index in (0, 1, 13, len(frames) - 1):
        for name in KEYS[:3]:
            assert value(head, name, frames[index]) == pytest.approx(expected(ready, name, index), abs=1e-6)
        assert value(teeth, "jawOpen", frames[index]) == value(head, "jawOpen", frames[index])
    assert (head.data.shape_keys.animation_data.action is None) == is_nla


def test_a_second_bake_keeps_the_artists_keys_and_says_how_many(ready, add_strip, add_mesh, said):
    head = add_mesh("Head", KEYS)
    strip = add_strip(fps=24)
    ready.rigging.character = head
    bpy.ops.speechface.generate()
    curve = curves_of(head.data.shape_keys)['key_blocks["jawOpen"].value']
    next(point for point in curve.keyframe_points if point.co[0] == 30).co[1] = 0.77
    ready.rigging.channels.remove(ready.rigging.channels.find("mouthLeft"))
    strip.frame_offset_start = 20
    bpy.ops.speechface.generate()
    keys = keys_of(head, "jawOpen")
    assert list(keys) == list(range(21, 97))
    assert keys[30] == 0.77
    assert keys[31] == pytest.approx(expected(ready, "jawOpen", 10))
    assert 'key_blocks["mouthLeft"].value' not in curves_of(head.data.shape_keys)
    assert head.data.shape_keys.key_blocks["mouthLeft"].value == 0  # it is no longer moved, and rests
    assert said() == ["Keys of Head that were set by hand stay: 1"]


@pytest.mark.parametrize("is_nla", [False, True])
def test_an_artists_action_stays_in_effect(ready, add_strip, add_mesh, is_nla):
    head = add_mesh("Head", (*KEYS, "hat"))
    block = head.data.shape_keys.key_blocks["hat"]
    block.value = 0.6
    block.keyframe_insert("value", frame=1)
    theirs = head.data.shape_keys.animation_data.action
    add_strip()
    ready.rigging.character = head
    ready.keys.use_nla = is_nla
    bpy.ops.speechface.generate()
    animation = head.data.shape_keys.animation_data
    assert (animation.action == theirs) == is_nla
    assert value(head, "hat", 12) == pytest.approx(0.6)
    assert value(head, "jawOpen", 12) == pytest.approx(expected(ready, "jawOpen", 11))
    block.value = 0
    for use_nla in (not is_nla, is_nla):  # the keys move to the other place and back, once each
        ready.keys.use_nla = use_nla
        bpy.ops.speechface.generate()
        assert value(head, "hat", 12) == pytest.approx(0.6)
        assert value(head, "jawOpen", 12) == pytest.approx(expected(ready, "jawOpen", 11))
        assert sum(action.name.startswith("Head Speech") for action in bpy.data.actions) == 1


def test_what_blender_makes_else_of_a_key_is_said(ready, add_strip, add_mesh, said):
    head = add_mesh("Head", KEYS)
    add_strip()
    ready.rigging.character = head
    head.data.shape_keys.key_blocks["mouthPucker"].slider_max = 0.3
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    (sentence,) = said()
    assert sentence.startswith("MouthPucker of Head is 0.3 on frame")
    assert "was keyed: its limits, a driver or another action change it (channels that differ: 1)" in sentence


def test_driven_and_missing_channels_are_said_and_never_written(ready, add_strip, add_mesh, said):
    head = add_mesh("Head", KEYS)
    driver = head.data.shape_keys.key_blocks["mouthPucker"].driver_add("value").driver
    driver.expression = "0.125"
    add_strip()
    ready.rigging.character = head
    bpy.ops.speechface.choose_preset(preset="arkit")
    bpy.ops.speechface.generate()
    assert 'key_blocks["mouthPucker"].value' not in curves_of(head.data.shape_keys)
    assert value(head, "mouthPucker", 12) == 0.125
    (sentence,) = said()
    assert "moves nothing (no shape key has this name), and 40 more" in sentence


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("hat", "coat"), "None of the 52 channels of the mapping arkit is a shape key or bone of Head"),
        (KEYS, "The shape keys of Head move nothing at the mouth"),
    ],
)
def test_a_mapping_that_cannot_move_the_mouth_is_refused(ready, fake_backend, add_strip, add_mesh, names, sentence):
    ready.rigging.character = add_mesh("Head", names, height=0)
    bpy.ops.speechface.choose_preset(preset="arkit")
    add_strip()
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.speechface.generate()
    assert not fake_backend.messages("AnimateRequest")


def test_one_undo_step_removes_all(ready, add_strip, add_mesh):
    head = add_mesh("Head", KEYS)
    add_strip()
    ready.rigging.character = head
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.speechface.generate("EXEC_DEFAULT", True)
    assert bpy.data.objects["Head"].data.shape_keys.animation_data is not None
    bpy.ops.ed.undo()
    animation = bpy.data.objects["Head"].data.shape_keys.animation_data
    assert animation is None or animation.action is None
    assert not bpy.data.actions


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
def test_bones_turn_by_the_channels_amount(ready, add_strip, add_armature, mode):
    rig = add_armature(bones=("jaw",), mode=mode)
    add_strip()
    ready.rigging.character = rig
    ready.rigging.method = "NAMES"
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    for index in (0, 3, 9):
        bpy.context.scene.frame_set(1 + index)
        turned = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["jaw"].matrix_basis.to_euler()
        assert math.degrees(turned.x) == pytest.approx(25 * index / 10, abs=1e-3)


def test_locations_are_metres_or_lengths_of_the_bone(addon, add_armature):
    from blender_addon._shared import rig_mapping
    from blender_addon.rigs import character, character_keys

    rig = add_armature(bones=("jaw", "lip", "held"))
    rig.scale = (-0.1, 0.1, 0.1)  # mirrored
    bpy.context.view_layer.update()
    rig.pose.bones["held"].lock_location[0] = True
    targets = [
        rig_mapping.BoneTarget("jaw", "location_x", 0.05, "metres", -0.04, 0.04),
        rig_mapping.BoneTarget("lip", "location_z", 0.5, "bone_lengths", -1, 1),
        rig_mapping.BoneTarget("held", "location_x", 1, "metres", -1, 1),
        rig_mapping.BoneTarget("tail", "location_x", 1, "metres", -1, 1),
    ]
    channels = [rig_mapping.Channel(target.bone, bone=target) for target in targets]
    (track,), skipped = character_keys.tracks(character.read(rig), channels, np.array([[0.5] * 4, [1.0] * 4]))
    assert [curve.data_path for curve in track.curves] == [f'pose.bones["{name}"].location' for name in ("jaw", "lip")]
    np.testing.assert_allclose(track.values, [(0.25, 0.05), (0.4, 0.1)], atol=1e-6)  # 1 m is 10 of the scaled rig
    assert [item.why for item in skipped] == ["location x of the bone held is locked", "there is no bone tail"]


def test_keys_go_to_the_local_action_of_a_library_override(ready, add_strip, add_mesh, said, tmp_path, character):
    add_mesh("Head", KEYS)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Head"]
    bpy.data.objects["Head"].override_create(remap_local_usages=True)
    head = next(item for item in bpy.data.objects if item.override_library)
    bpy.context.scene.collection.objects.link(head)
    settings = character()
    settings.use_texture = settings.use_curves = False
    settings.rigging.character = head
    add_strip()
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert said() == ["Head was linked; its mesh has a library override now"]
    saved = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=saved)
    bpy.ops.wm.open_mainfile(filepath=saved)
    head = character().rigging.character
    assert value(head, "jawOpen", 12) == pytest.approx(expected(character(), "jawOpen", 11))


def test_channels_without_known_names_are_sent_with_what_they_do_to_the_face(ready, fake_backend, add_strip, add_mesh):
    head = add_mesh("Head", ("q1", "q2", "hat"))
    head.data.shape_keys.key_blocks["hat"].data[2].co.z -= 0.1  # it moves nothing
    head.scale = (2, 2, 2)
    add_strip()
    ready.rigging.character = head
    ready.rigging.channels.add().name = "q2"
    ready.rigging.channels["q2"].most = 0.5
    ready.rigging.method = "SOLVE"
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    (asked,) = fake_backend.messages("FindMeshLandmarks")
    np.testing.assert_allclose(asked.vertices[5], (0.5, 0.5, 0), atol=1e-6)
    (animate,) = fake_backend.messages("AnimateRequest")
    assert [(channel.name, channel.most) for channel in animate.mapping.channels] == [("q1", 1.0), ("q2", 0.5)]
    assert animate.rig_basis.shape == (2, 68, 2)
    np.testing.assert_allclose(animate.rig_basis[0, 0], (0, -20), atol=1e-4)  # 0.1 m, twice as large, in pixels
    np.testing.assert_allclose(animate.rig_basis[1, [0, 1]], [(0, 0), (0, -20)], atol=1e-4)
    np.testing.assert_allclose(animate.rig_rest[5], (50, 0), atol=1e-4)
    assert animate.rig_confidence.max() == 0.5
    assert value(head, "q1", 12) == pytest.approx(0.1)  # frame 11 of channel 0
    assert value(head, "q2", 12) == pytest.approx(0.2)
    assert 'key_blocks["hat"].value' not in curves_of(head.data.shape_keys)


def test_shape_keys_that_do_not_move_the_mouth_are_refused_when_solved(ready, fake_backend, add_strip, add_mesh):
    ready.rigging.character = add_mesh("Head", ("q1", "q2"), height=0)
    add_strip()
    with pytest.raises(RuntimeError, match="None of the 2 channels moves the mouth; choose the head"):
        bpy.ops.speechface.generate()
    assert not fake_backend.messages("AnimateRequest")
    assert not bpy.data.actions
