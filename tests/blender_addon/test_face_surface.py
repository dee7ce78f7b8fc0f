"""Tests what channels do to points of a face, on meshes that lie, lean and are made in every way."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

KEYS = ("lift0", "lift1")


@pytest.fixture
def measured(addon):
    """Surface, channels and displacements of some of its vertices."""
    from blender_addon.rigs import character, face_surface

    def measured(picked, vertices):
        bpy.context.view_layer.update()
        found = character.read(picked)
        shown = face_surface.surface(bpy.context, found)
        rest = np.array([(0, 0, 0)] * 68, float)
        rest[45] = (0.1, 0, 0)  # the eyes are 10 cm apart
        channels = face_surface.unknown_channels(found, rest)
        moved = face_surface.displacements(bpy.context, found, channels, shown, np.array(vertices))
        return shown, [channel.name for channel in channels], moved

    return measured


PLACES = {
    "as it is": {},
    "mirrored": {"scale": (-1, 1, 1)},
    "scaled": {"scale": (10, 20, 30)},
    "rotated": {"rotation_euler": (0.3, -1.2, 2.5), "location": (5, 6, 7)},
}


@pytest.mark.parametrize("is_parented", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_displacements_are_what_blender_shows_in_the_world(measured, add_mesh, place, is_parented):
    parent = None
    if is_parented:
        parent = bpy.data.objects.new("Root", None)
        bpy.context.scene.collection.objects.link(parent)
        parent.rotation_euler, parent.scale, parent.location = (1, 0, 0.5), (2, 2, 2), (0, 0, 1)
    head = add_mesh("Head", KEYS, parent=parent)
    for name, value in PLACES[place].items():
        setattr(head, name, value)
    shown, names, moved = measured(head, [0, 1, 5])
    assert names == list(KEYS)
    before = world(head)
    np.testing.assert_allclose(shown.vertices, before, atol=1e-5)
    for number, name in enumerate(KEYS):
        block = head.data.shape_keys.key_blocks[name]
        block.value = 1
        np.testing.assert_allclose(moved[number], (world(head) - before)[[0, 1, 5]], atol=1e-5)
        block.value = 0


def world(mesh):
    bpy.context.view_layer.update()
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([mesh.matrix_world @ vertex.co for vertex in evaluated.data.vertices])


def test_meshes_are_one_surface_and_move_together(measured, add_mesh):
    head = add_mesh("Head", KEYS)
    teeth = add_mesh("Teeth", KEYS[:1], parent=head, location=(0, 0, 2), height=0.5)
    hair = add_mesh("Hair", parent=head)
    hair.hide_viewport = True
    shown, _, moved = measured(head, [0, 16])
    assert shown.meshes == ("Head", "Teeth")
    assert shown.firsts == (0, 16, 32)
    assert len(shown.triangles) == 8
    assert shown.triangles[4:].min() == 16
    np.testing.assert_allclose(shown.vertices[16:], world(teeth), atol=1e-6)
    np.testing.assert_allclose(moved, [[(0, 0, 0.1), (0, 0, 0.5)], [(0, 0, 0), (0, 0, 0)]], atol=1e-6)


def test_a_pose_and_modifiers_do_not_change_what_a_shape_key_does(measured, add_mesh, add_armature):
    rig = add_armature(bones=("head",))
    head = add_mesh("Head", KEYS)
    head.vertex_groups.new(name="head").add(range(16), 1, "REPLACE")
    head.modifiers.new("Armature", "ARMATURE").object = rig
    head.modifiers.new("Subdivision", "SUBSURF")
    rig.pose.bones["head"].rotation_quaternion = (0.7, 0.7, 0, 0)
    shown, names, moved = measured(head, [0, 1])
    assert len(shown.vertices) == 16
    assert names == list(KEYS)  # shape keys are preferred to bones
    np.testing.assert_allclose(moved[:, :, 2], [(0.1, 0), (0, 0.1)], atol=1e-6)


def test_bones_are_measured_by_moving_them_and_are_put_back(measured, add_mesh, add_armature):
    rig = add_armature(bones=("jaw", "fixed"))
    rig.scale = (0.5, 0.5, 0.5)
    rig.pose.bones["fixed"].lock_location = rig.pose.bones["fixed"].lock_rotation = (True, True, True)
    head = add_mesh("Head", parent=rig)
    head.vertex_groups.new(name="jaw").add([0, 4], 1, "REPLACE")  # at the bone's head, and 0.25 along it
    head.modifiers.new("Armature", "ARMATURE").object = rig
    shown, names, moved = measured(rig, [0, 4, 5])
    assert names == [f"jaw {kind} {axis}" for kind in ("location", "rotation") for axis in "xyz"]
    by_name = dict(zip(names, moved, strict=True))
    for axis, world_axis in (("x", 0), ("y", 1), ("z", 2)):  # the bone lies along Y with roll 0
        expected = np.zeros((3, 3))
        expected[:2, world_axis] = 0.025  # a quarter of the eyes' distance, in the world
        np.testing.assert_allclose(by_name[f"jaw location {axis}"], expected, atol=1e-6)
    turn = math.radians(12.5)
    lifted = 0.125 * np.array([0, math.cos(turn) - 1, math.sin(turn)]) / 0.5
    np.testing.assert_allclose(by_name["jaw rotation x"], [(0, 0, 0), lifted, (0, 0, 0)], atol=1e-6)
    assert tuple(rig.pose.bones["jaw"].location) == (0, 0, 0)
    assert tuple(rig.pose.bones["jaw"].rotation_quaternion) == (1, 0, 0, 0)
    np.testing.assert_allclose(world(head), shown.vertices, atol=1e-6)


def test_channels_of_the_whole_head_and_of_nothing_are_left_out(addon):
    from blender_addon._shared import errors
    from blender_addon.rigs import face_surface

    rest = np.zeros((68, 3))
    rest[45] = (1, 0, 0)
    moved = np.zeros((3, 68, 3))
    moved[0, 57, 2] = -0.3  # the lower lip
    moved[1, :, 2] = 0.3  # the head
    np.testing.assert_array_equal(face_surface.useful(moved, rest), [True, False, False])
    moved[0] = 0
    moved[0, 20, 2] = 0.2  # a brow alone
    with pytest.raises(errors.SpeechFaceError, match="none of the 3 channels moves the mouth"):
        face_surface.useful(moved, rest)
    with pytest.raises(errors.SpeechFaceError, match="none of the 0 channels moves the mouth"):
        face_surface.useful(moved[:0], rest)


def test_without_faces_nothing_can_be_looked_at(addon, add_armature):
    from blender_addon._shared import errors
    from blender_addon.rigs import character, face_surface

    with pytest.raises(errors.SpeechFaceError, match="Rig shows no mesh with faces"):
        face_surface.surface(bpy.context, character.read(add_armature()))
