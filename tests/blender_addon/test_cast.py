"""Tests that characters keep their own settings, and find their strips in any scene and under any name."""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def cast(addon):
    from blender_addon.speakers import cast

    return cast


@pytest.fixture
def ready(preferences, fake_backend):
    """Preferences with which Generate reaches a backend that answers at once."""
    preferences.connection_file = str(fake_backend.connection_file)


def test_names_are_unlike_and_the_new_one_is_active(cast):
    scene = bpy.context.scene
    assert [cast.add(scene).name for _ in range(3)] == ["Character", "Character.001", "Character.002"]
    assert cast.add(scene, "Anna").name == "Anna"
    assert bpy.ops.speechface.add_character(name="Anna") == {"FINISHED"}
    assert cast.active(scene).name == "Anna.001"
    cast.active(scene).seed = 7
    assert bpy.ops.speechface.remove_character() == {"FINISHED"}
    assert (cast.active(scene).name, cast.active(scene).seed) == ("Anna", 0)
    for _ in range(4):
        bpy.ops.speechface.remove_character()
    assert not bpy.ops.speechface.remove_character.poll()


def test_a_strip_is_found_again_when_it_has_another_name_or_scene(cast, add_strip):
    scene = bpy.context.scene
    strip = add_strip(name="Voice")
    voice = cast.add_voice(cast.active(scene), scene, strip)
    strip.name, scene.name = "Take 2", "Shot"
    assert cast.find(voice) == (scene, strip)
    assert cast.add_voice(cast.active(scene), scene, strip).name == "Voice"  # the row that is there
    assert len(cast.active(scene).voices) == 1
    scene.sequence_editor.strips.remove(strip)
    assert cast.find(voice) is None


def test_a_copy_of_a_strip_is_a_voice_of_its_own(cast, add_strip):
    scene = bpy.context.scene
    first = add_strip(name="Voice")
    anna = cast.active(scene)
    cast.add_voice(anna, scene, first)
    copy = scene.copy().sequence_editor.strips[0]  # Blender copies its custom properties too
    second = add_strip(name="Voice.001", start=200)
    second["speech_face"] = first["speech_face"]
    voice = cast.add_voice(anna, scene, second)
    assert len(anna.voices) == 2
    assert [cast.find(row)[1] for row in anna.voices] == [first, second]
    assert voice.token != anna.voices[0].token
    assert copy["speech_face"] == first["speech_face"]


def test_the_strip_may_lie_in_any_scene_and_the_picker_lists_all(cast, add_strip):
    from blender_addon.speakers.cast_operators import _strip_items

    sequenced = bpy.context.scene
    add_strip(name="Voice")
    bpy.context.window.scene = bpy.data.scenes.new("Shot")
    labels = [item[1] for item in _strip_items(None, bpy.context)]
    assert labels == [f"{sequenced.name}: Voice"]
    assert bpy.ops.speechface.add_voice(strip=f"{sequenced.name}\nVoice") == {"FINISHED"}
    assert cast.find(cast.active(bpy.context.scene).voices[0])[0] == sequenced


def test_a_sound_file_becomes_a_strip_that_covers_no_other(cast, add_strip, speech_file, tmp_path):
    scene = bpy.context.scene
    add_strip(start=1)
    scene.frame_set(20)
    path = speech_file(1.0, name="hello.wav")
    assert bpy.ops.speechface.add_sound_file(filepath=str(path)) == {"FINISHED"}
    place, strip = cast.find(cast.active(scene).voices[0])
    assert (place, strip.name, strip.channel, strip.frame_final_start) == (scene, "hello", 2, 20)
    with pytest.raises(RuntimeError, match=r"no file .*none\.wav"):
        bpy.ops.speechface.add_sound_file(filepath=str(tmp_path / "none.wav"))


def test_every_strip_of_every_character_is_generated_with_its_own_settings(
    ready, fake_backend, cast, add_strip, speech_file
):
    scene = bpy.context.scene
    for name, seed, starts in (("Anna", 1, (1, 200)), ("Ben", 2, (100,))):
        character = cast.add(scene, name)
        character.seed, character.use_texture = seed, False
        for start in starts:
            strip = add_strip(start=start, path=speech_file(1.0), name=f"{name} {start}")
            cast.add_voice(character, scene, strip)
    assert bpy.ops.speechface.generate(use_all=True) == {"FINISHED"}
    assert [message.seed for message in fake_backend.messages("AnimateRequest")] == [1, 1, 2]
    rigs = [character.rig for character in scene.speech_face.characters]
    assert len(set(rigs)) == 2
    animation = rigs[0].animation_data
    points = animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves[0].keyframe_points
    assert [point.co[0] for point in points] == [*range(1, 25), *range(200, 224)]


def test_a_strip_that_is_gone_is_said_with_the_character(ready, cast, add_strip):
    from blender_addon import orders

    scene = bpy.context.scene
    strip = add_strip(name="Voice")
    character = cast.active(scene)
    character.use_texture = False
    cast.add_voice(character, scene, strip)
    scene.sequence_editor.strips.remove(strip)
    assert orders.disabled_reason(bpy.context).startswith("The sound strip 'Voice' is gone; choose another for")
