"""Tests that a face is shown through the whole mapping of a character, and that nothing of it is left."""

import math

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

KEYS = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthSmileLeft",
        "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
        "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")  # fmt: skip
VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")


@pytest.fixture
def rig(preferences, character):
    return character().rigging


@pytest.fixture
def shown(rig):
    """Shows a share of a face, and what was before when it is put back."""
    from blender_addon.rigs import character, preview, preview_sources, rigging

    made = []

    def show(name, share=1.0):
        made.append(preview.MappingPreview(character.read(rig.character), rigging.mapping_of(rig)))
        made[-1].show(preview_sources.FACES[name], share)
        return made[-1]

    yield show
    for each in made:
        each.restore()


def values(mesh):
    return {block.name: block.value for block in mesh.data.shape_keys.key_blocks[1:]}


def test_a_shape_of_arkit_goes_through_gains_limits_and_all_meshes(rig, shown, add_mesh):
    head = add_mesh("Head", KEYS)
    teeth = add_mesh("Teeth", KEYS[:1], parent=head)
    rig.character = head
    rig.channels["jawOpen"].gain, rig.channels["jawOpen"].most = 0.5, 0.4
    rig.channels["mouthClose"].sources = "jawOpen 0.25, mouthClose 1"
    rig.channels["mouthLeft"].offset = 0.125
    before = {name: number / 32 for number, name in enumerate(KEYS)}
    for name, value in before.items():
        head.data.shape_keys.key_blocks[name].value = value
    preview = shown("jawOpen", 0.5)
    expected = dict.fromkeys(KEYS, 0.0) | {"jawOpen": 0.25, "mouthClose": 0.125, "mouthLeft": 0.125}
    assert values(head) == pytest.approx(expected, abs=1e-6)
    assert values(teeth) == {"jawOpen": 0.25}
    preview.show((("jawOpen", 1.0),), 1.0)
    assert values(teeth) == pytest.approx({"jawOpen": 0.4})
    preview.restore()
    assert values(head) == before
    assert values(teeth) == {"jawOpen": 0}


def test_a_viseme_is_mixed_of_poses_as_the_backend_does(rig, shown, add_mesh):
    head = add_mesh("Head", VISEMES)
    rig.character = head
    assert rig.kind == "oculus"
    preview = shown("oculus.aa")
    assert values(head) == pytest.approx({name: float(name == "aa") for name in VISEMES}, abs=1e-3)
    preview.show((), 0.0)
    assert values(head) == pytest.approx({name: float(name == "sil") for name in VISEMES}, abs=1e-6)
    shown("jawOpen", 0.3)
    assert values(head)["aa"] > 0.5


def test_bones_are_moved_and_stand_as_before(rig, shown, add_armature):
    armature = add_armature(bones=("root", "jaw"))
    rig.character = armature
    jaw = armature.pose.bones["jaw"]
    jaw.rotation_quaternion = (0.96, 0.28, 0, 0)
    before = tuple(jaw.rotation_quaternion)
    preview = shown("jawOpen", 0.4)
    bpy.context.view_layer.update()
    assert math.degrees(jaw.matrix_basis.to_euler().x) == pytest.approx(10, abs=1e-3)  # of 25
    preview.restore()
    assert tuple(jaw.rotation_quaternion) == before


def test_the_operator_leaves_no_key_and_no_undo_step(rig, add_mesh):
    head = add_mesh("Head", KEYS)
    rig.character = head
    rig.preview_face = "mouthPucker"
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.3
    before = values(head)
    assert bpy.ops.speechface.preview_face() == {"FINISHED"}
    assert bpy.ops.speechface.preview_face(face="oculus.oh", share=0.5) == {"FINISHED"}
    assert values(head) == before
    assert head.data.shape_keys.animation_data is None
    assert not bpy.data.actions
    assert bpy.types.SPEECHFACE_OT_preview_face.bl_options == {"INTERNAL"}
    with pytest.raises(RuntimeError, match="There is no face 'jawOpem'; choose a shape of ARKit, or a viseme"):
        bpy.ops.speechface.preview_face(face="jawOpem")
    rig.channels["jawOpen"].sources = "jawOpem 1"
    with pytest.raises(RuntimeError, match='did you mean "jawOpen"'):
        bpy.ops.speechface.preview_face()
    assert values(head) == before


def test_of_channels_that_are_solved_no_face_can_be_shown(rig, add_mesh):
    from blender_addon.rigs import preview_operators

    rig.character = add_mesh("Head", ("q1", "q2"))
    assert "Only the backend can fit channels without known names" in preview_operators.disabled_reason(bpy.context)
    assert not bpy.ops.speechface.preview_face.poll()
    rig.method = "NAMES"
    with pytest.raises(RuntimeError, match="The table of channels is empty"):
        bpy.ops.speechface.preview_face()
    bpy.ops.speechface.choose_preset(preset="arkit")
    with pytest.raises(RuntimeError, match="The mapping 'arkit' cannot be shown: no shape key has this name"):
        bpy.ops.speechface.preview_face()
