"""Tests with real library files that keys which are told of are there after a reload, and all others are refused."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

FRAMES = np.arange(1, 21)
PATH = 'pose.bones["jaw"].location'


@pytest.fixture
def curves(addon):
    from blender_addon.keys.keyframes import Curve

    return [Curve(PATH, 0), Curve(PATH, 1)]


@pytest.fixture
def write(addon, curves):
    from blender_addon.keys import keyframes

    def write(owner, amount=1.0, policy="KEEP", is_nla=False):
        values = amount * np.linspace(0, 1, len(FRAMES) * 2).reshape(-1, 2)
        manner = keyframes.Manner(keyframes.Policy(policy), is_nla)
        return keyframes.write(owner, "Voice", FRAMES, curves, values, manner=manner)

    return write


@pytest.fixture
def counted(addon, curves):
    """How many frames, keys and curves are really there and saved, and how many curves move."""
    from blender_addon.keys import saved_keys

    def count(owner):
        found = saved_keys.count(owner, "Voice", FRAMES, curves)
        moving = saved_keys.moving(bpy.context.scene, owner, FRAMES, curves)
        return found.frame_count, found.key_count, found.curve_count, int(moving.sum())

    return count


@pytest.fixture
def library(add_armature, write, tmp_path):
    """Saves a file with an armature, of which a bake may lie in an action or on an NLA track."""

    def save(kind):
        rig = add_armature(mode="XYZ")
        if kind != "no keys":
            write(rig, 0.5, is_nla=kind == "nla")
        path = tmp_path / "library.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        return str(path)

    return save


def link(path, collection="objects", name="Rig"):
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        setattr(wanted, collection, [name])
    return getattr(bpy.data, collection)[name]


def override(path, is_system=False):
    made = link(path).override_create(remap_local_usages=True)
    made.override_library.is_system_override = is_system
    bpy.context.scene.collection.objects.link(made)
    return made


def reload(tmp_path):
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    return bpy.data.objects.get(("Rig", None))


def location(rig, frame):
    bpy.context.scene.frame_set(frame)
    return rig.pose.bones["jaw"].location[1]


def refused(write, owner, sentence, **how):
    from blender_addon._shared import errors

    before = [action.name for action in bpy.data.actions]
    with pytest.raises(errors.SpeechFaceError) as caught:
        write(owner, **how)
    assert sentence in caught.value.sentence
    assert [action.name for action in bpy.data.actions] == before


@pytest.mark.parametrize("policy", ["KEEP", "REPLACE", "LAYER"])
def test_a_linked_rig_is_refused_and_an_override_is_the_way_out(library, write, counted, tmp_path, policy):
    path = library("no keys")
    rig = link(path)
    sentence = (
        "Rig is linked from library.blend, and keys on it are not saved; select it, choose Object > Library Override"
    )
    refused(write, rig, sentence, policy=policy)
    made = rig.override_create(remap_local_usages=True)
    bpy.context.scene.collection.objects.link(made)
    write(made, policy=policy)
    assert counted(made) == (20, 40, 2, 2)
    made = reload(tmp_path)
    assert made.override_library is not None
    assert counted(made) == (20, 40, 2, 2)
    assert location(made, 20) == pytest.approx(1)


@pytest.mark.parametrize("is_system", [False, True])
@pytest.mark.parametrize("kind", ["action", "nla"])
@pytest.mark.parametrize("policy", ["KEEP", "REPLACE"])
def test_keys_in_an_action_of_the_library_are_refused_and_a_new_layer_is_the_way_out(
    library, write, counted, tmp_path, kind, is_system, policy
):
    rig = override(library(kind), is_system)
    assert location(rig, 20) == pytest.approx(0.5)
    refused(write, rig, "choose New Layer, which leaves it as it is, or generate in that file", policy=policy)
    assert counted(rig) == (0, 0, 0, 2)  # what moves it is not ours to count
    write(rig, policy="LAYER")
    assert counted(rig) == (20, 40, 2, 2)
    write(rig, 0.8, policy=policy)  # now there is a layer that can be written
    rig = reload(tmp_path)
    assert counted(rig) == (20, 40, 2, 2)
    assert location(rig, 20) == pytest.approx(0.8)


def test_a_linked_action_on_a_local_rig_is_refused_and_a_local_copy_is_the_way_out(
    library, add_armature, write, counted, tmp_path
):
    path = library("action")
    rig = add_armature(mode="XYZ")
    animation = rig.animation_data_create()
    animation.action = link(path, "actions", "Rig Speech")
    animation.action_slot = animation.action.slots[0]
    refused(write, rig, "the action Rig Speech of Rig is linked from library.blend, and keys in it are not saved")
    animation.action.make_local()
    write(rig, 0.25)
    rig = reload(tmp_path)
    assert counted(rig) == (20, 40, 2, 2)
    assert location(rig, 20) == pytest.approx(0.25)


def test_an_artists_linked_action_stays_below_ours(add_armature, write, counted, tmp_path):
    rig = add_armature(mode="XYZ")
    rig.keyframe_insert("location", index=2, frame=1)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    name = rig.animation_data.action.name
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    rig = override(str(tmp_path / "library.blend"))
    write(rig)
    rig = reload(tmp_path)
    assert counted(rig) == (20, 40, 2, 2)
    assert [track.strips[0].action.name for track in rig.animation_data.nla_tracks] == [name]


@pytest.fixture
def ready(preferences, fake_backend, character):
    preferences.connection_file = str(fake_backend.connection_file)
    wanted = character()
    wanted.use_texture, wanted.use_curves = False, True
    return wanted


def test_generate_refuses_a_linked_scene_before_it_asks_the_backend(ready, fake_backend, add_strip, tmp_path):
    add_strip()
    bpy.context.scene.name = "Shot"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.context.window.scene = link(str(tmp_path / "library.blend"), "scenes", "Shot")
    with pytest.raises(
        RuntimeError, match=r"The scene Shot is linked from library.blend, and nothing that is made in it"
    ):
        bpy.ops.speechface.generate()
    assert not fake_backend.messages("AnimateRequest")
    assert not bpy.data.actions
    bpy.context.scene.make_local()
    assert bpy.ops.speechface.generate() == {"FINISHED"}


def test_generate_refuses_a_linked_landmark_armature_before_it_asks_the_backend(
    ready, fake_backend, add_strip, character, tmp_path
):
    add_strip()
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    name = ready.rig.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    rig = link(str(tmp_path / "library.blend"), "objects", name)
    bpy.context.scene.collection.objects.link(rig)
    wanted = character()
    wanted.use_texture, wanted.use_curves, wanted.rig = False, True, rig
    add_strip()
    asked = len(fake_backend.messages("AnimateRequest"))
    with pytest.raises(RuntimeError, match=r"is linked from library.blend, and keys on it are not saved; select it"):
        bpy.ops.speechface.generate()
    assert len(fake_backend.messages("AnimateRequest")) == asked


def test_generate_refuses_a_linked_action_of_a_character_before_it_asks_the_backend(
    ready, fake_backend, add_strip, add_mesh, character, tmp_path
):
    add_strip()
    ready.use_curves = False
    ready.rigging.character = add_mesh("Head", ("jawOpen", "mouthClose", "mouthPucker"))
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    made = link(str(tmp_path / "library.blend"), "objects", "Head").override_create(remap_local_usages=True)
    bpy.context.scene.collection.objects.link(made)
    wanted = character()
    wanted.use_texture = wanted.use_curves = False
    wanted.rigging.character = made
    add_strip()
    asked = len(fake_backend.messages("AnimateRequest"))
    with pytest.raises(
        RuntimeError, match=r"The action Head Speech of .* is linked from library.blend, and keys in it"
    ):
        bpy.ops.speechface.generate()
    assert len(fake_backend.messages("AnimateRequest")) == asked


def test_the_frames_that_generate_tells_of_are_there_after_a_reload(ready, add_strip, add_mesh, tmp_path, capfd):
    from blender_addon.keys import saved_keys
    from blender_addon.rigs import landmark_rig
    from blender_addon.speakers import cast

    strip = add_strip(fps=24)
    head = ready.rigging.character = add_mesh("Head", ("jawOpen", "mouthClose", "mouthPucker"))
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    told = capfd.readouterr().out
    assert "keys on 96 frames of 3 channels of Head, of which 3 move" in told
    assert f"keys on 96 frames of {ready.rig.name}" in told
    voice, name, key = cast.token_of(strip), ready.rig.name, head.data.shape_keys.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    found = saved_keys.count(bpy.data.objects[name], voice, np.arange(1, 97), landmark_rig.curves())
    assert (found.frame_count, found.key_count, found.curve_count, found.reason) == (96, 96 * 136, 136, "")
    assert bpy.data.shape_keys[key].animation_data.action is not None
