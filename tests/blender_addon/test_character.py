"""Tests which meshes, shape keys and bones make a character, what is skipped and why, and what is refused."""

import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

KEYS = ("jawOpen", "mouthClose", "mouthPucker")


@pytest.fixture
def read(addon):
    from blender_addon.rigs import character

    return character.read


def why(character):
    return {item.name: item.why for item in character.skipped}


def refusal(read, picked):
    from blender_addon._shared import errors

    with pytest.raises(errors.SpeechFaceError) as caught:
        read(picked)
    return caught.value.sentence


def test_the_meshes_of_a_head_are_its_children_its_armatures_and_siblings_within_it(read, add_mesh, add_armature):
    rig = add_armature()
    head = add_mesh("Head", KEYS, parent=rig)
    lashes = add_mesh("Lashes", KEYS[:1], parent=head)
    beard = add_mesh("Beard", KEYS[1:])
    beard.modifiers.new("Armature", "ARMATURE").object = rig
    add_mesh("Stranger", KEYS)
    found = read(head)
    assert {part.object for part in found.parts} == {head, lashes, beard}
    assert found.parts[0].object == head
    assert found.names == KEYS
    assert found.armature == rig
    assert found.bones == ("jaw",)
    assert {part.object for part in read(rig).parts} == {head, lashes, beard}


def test_a_sibling_apart_is_another_character(read, add_mesh):
    root = bpy.data.objects.new("Root", None)
    bpy.context.scene.collection.objects.link(root)
    head = add_mesh("Head", KEYS, parent=root)
    teeth = add_mesh("Teeth", KEYS[:1], parent=root, location=(0.1, 0.1, 0))
    add_mesh("Other", KEYS, parent=root, location=(5, 0, 0))
    found = read(head)
    assert {part.object for part in found.parts} == {head, teeth}
    assert why(found) == {"Other": "lies apart from Head"}


def test_what_is_never_moved_is_skipped_with_the_reason(read, add_mesh):
    names = (
        *KEYS,
        "jawOpen_mouthPucker",
        "corr_jaw",
        "pJCMNeckTwist",
        "locked",
        "driven",
        "muted",
        "combover",
        "prefix",
    )
    head = add_mesh("Head", names)
    blocks = head.data.shape_keys.key_blocks
    blocks["locked"].lock_shape = blocks["muted"].mute = True
    blocks["driven"].driver_add("value")
    found = read(head)
    assert found.names == (*KEYS, "combover", "prefix")
    combination = "corrects a combination of other shapes"
    assert why(found) == {
        "jawOpen_mouthPucker of Head": combination,
        "corr_jaw of Head": combination,
        "pJCMNeckTwist of Head": combination,
        "locked of Head": "locked",
        "driven of Head": "a driver moves it",
        "muted of Head": "muted",
    }


def test_names_that_blender_escapes_are_found_driven(read, add_mesh):
    head = add_mesh("Head", ('a"b\\c', "口"))
    head.data.shape_keys.key_blocks['a"b\\c'].driver_add("value")
    assert read(head).names == ("口",)


def test_what_cannot_be_moved_is_refused_with_a_sentence(read, add_mesh):
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    assert refusal(read, lamp) == "Lamp is a light; choose the mesh of the head, or the armature that moves it"
    bare = add_mesh("Bare")
    assert refusal(read, bare).startswith("Bare has no shape keys and no bones")
    head = add_mesh("Head", KEYS[:2])
    for block in head.data.shape_keys.key_blocks:
        block.lock_shape = True
    assert refusal(read, head) == ("nothing of Head can be moved: jawOpen of Head is skipped (locked), and 1 more")
    head.data.shape_keys.use_relative = False
    assert "tick Relative" in refusal(read, head)


@pytest.fixture
def linked(add_mesh, tmp_path):
    """A head that is linked from another file."""
    add_mesh("Head", KEYS)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Head"]
    head = bpy.data.objects["Head"]
    bpy.context.scene.collection.objects.link(head)
    return head


def test_linked_data_are_refused_and_the_way_to_an_override_is_said(read, linked):
    sentence = refusal(read, linked)
    assert "Head is linked from library.blend" in sentence
    assert "Library Override > Make" in sentence


def test_the_override_of_an_object_can_be_keyed_once_its_mesh_has_one_too(read, linked):
    from blender_addon.rigs import character

    linked.override_create(remap_local_usages=True)
    head = bpy.context.scene.objects[0]
    (part,) = read(head).parts
    assert not part.key.is_editable  # Blender leaves the mesh linked
    assert character.make_keyable(part)
    (part,) = read(head).parts
    assert part.key.is_editable
    assert not character.make_keyable(part)


def test_displacements_are_measured_from_the_key_that_each_is_relative_to(read, add_mesh):
    from blender_addon.rigs import character

    head = add_mesh("Head", ("jawOpen", "wider"))
    blocks = head.data.shape_keys.key_blocks
    blocks["wider"].relative_key = blocks["jawOpen"]
    for block in blocks:  # the basis was edited after the keys were made, and they with it
        block.data[3].co.y += 1
    blocks["Basis"].data[5].co.x += 0.25  # and here without them
    moved = dict(character.displacements_of(head, ("jawOpen", "wider")))
    assert moved["jawOpen"][0] == pytest.approx((0, 0, 0.1))
    assert moved["jawOpen"][3] == pytest.approx((0, 0, 0))
    assert moved["jawOpen"][5] == pytest.approx((-0.25, 0, 0))
    assert moved["wider"][0] == pytest.approx((0, 0, -0.1))  # as Blender mixes them
    assert moved["wider"][1] == pytest.approx((0, 0, 0.1))


def test_a_vertex_group_limits_what_a_key_moves(read, add_mesh):
    from blender_addon.rigs import character

    head = add_mesh("Head", ("jawOpen",))
    group = head.vertex_groups.new(name="half")
    group.add([0], 0.5, "REPLACE")
    block = head.data.shape_keys.key_blocks["jawOpen"]
    block.vertex_group = "half"
    block.data[1].co.z += 1
    ((_, moved),) = character.displacements_of(head, ("jawOpen",))
    assert moved[0] == pytest.approx((0, 0, 0.05))
    assert not moved[1].any()


def test_keys_that_move_nothing_are_known(read, add_mesh):
    from blender_addon.rigs import character

    head = add_mesh("Head", KEYS)
    head.data.shape_keys.key_blocks["mouthClose"].data[1].co.z -= 0.1
    assert character.moving_names(read(head), KEYS) == {"jawOpen", "mouthPucker"}


@pytest.mark.slow
def test_four_hundred_shape_keys_are_read_quickly(read, addon):
    from blender_addon.rigs import character, rigging

    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata(np.random.default_rng(1).random((10_000, 3)).tolist(), [], [])
    head = bpy.data.objects.new("Head", mesh)
    bpy.context.scene.collection.objects.link(head)
    names = [f"鍵{number}" for number in range(400)]
    for name in ("Basis", *names):
        head.shape_key_add(name=name, from_mix=False)
    start = time.process_time()
    found = read(head)
    rigging.detection_of(found)
    assert character.moving_names(found, found.names) == set()
    assert time.process_time() - start < 5  # `data.foreach_get` alone takes ten
    assert len(found.names) == 400
