"""Tests that words stand on the timeline, once, and that an artist's markers stay."""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def markers(addon):
    from blender_addon.keys import markers

    return markers


def there():
    return sorted((marker.frame, marker.name) for marker in bpy.context.scene.timeline_markers)


def test_a_second_run_replaces_its_own_markers_alone(markers):
    scene = bpy.context.scene
    scene.timeline_markers.new("SF hello", frame=3)  # an artist's, called the same
    scene.timeline_markers.new("Cut", frame=50)
    assert markers.write(scene, "Voice", [markers.Item(5, "hello"), markers.Item(12, "naïve\nworld")]) == 2
    assert markers.write(scene, "Other", [markers.Item(80, "bye")]) == 1
    assert there() == [(3, "SF hello"), (5, "SF hello"), (12, "SF naïve world"), (50, "Cut"), (80, "SF bye")]
    next(m for m in scene.timeline_markers if m.frame == 12).frame = 13  # moved by an artist
    markers.write(scene, "Voice", [markers.Item(6, "hello"), markers.Item(6, "hello"), markers.Item(7, "x" * 300)])
    assert there()[:5] == [
        (3, "SF hello"),
        (6, "SF hello"),
        (6, "SF hello"),
        (7, there()[3][1]),
        (13, "SF naïve world"),
    ]
    assert markers.clear(scene, "Voice") == 3
    assert there() == [(3, "SF hello"), (13, "SF naïve world"), (50, "Cut"), (80, "SF bye")]
    assert markers.clear(scene, "Voice") == 0
    assert markers.clear(scene, "Other") == 1
    assert "speech_face_markers" not in scene


def test_markers_are_known_again_after_a_reload(markers, tmp_path):
    markers.write(bpy.context.scene, "Voice", [markers.Item(5, "hello")])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert markers.write(bpy.context.scene, "Voice", [markers.Item(9, "there")]) == 1
    assert there() == [(9, "SF there")]


def test_markers_of_a_linked_scene_are_refused(markers, tmp_path):
    from blender_addon._shared import errors

    bpy.context.scene.name = "Shot"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.scenes = ["Shot"]
    with pytest.raises(errors.SpeechFaceError, match=r"the scene Shot is linked from library.blend"):
        markers.write(bpy.data.scenes["Shot"], "Voice", [markers.Item(5, "hello")])
