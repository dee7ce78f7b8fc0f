"""Complaint: pictures of an unsaved .blend lay with the extension; saving moved nothing, removing it deleted them."""

import os
import shutil
import time
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def generated(preferences, fake_backend, add_image, add_strip, character):
    """A scene, never saved, with a face."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    add_strip()
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    return character


def folder_of(character):
    from blender_addon.pictures import texture_plane

    return texture_plane.sequence_of(character().plane).folder


def shown_path(character):
    from blender_addon.pictures import texture_plane

    return texture_plane.image_node(character().plane).image.filepath


def test_they_do_not_lie_in_the_extensions_folder(addon):
    from blender_addon import preferences

    addon_preferences = bpy.context.preferences.addons["blender_addon"].preferences
    addon_preferences.data_folder = ""
    place = preferences.settings(bpy.context).data_folder
    assert Path(bpy.utils.user_resource("EXTENSIONS")) not in (place, *place.parents)


def test_the_first_save_moves_them_beside_the_file(generated, tmp_path, preferences):
    before = folder_of(generated)
    assert before.parent == Path(preferences.data_folder) / "pictures"
    target = tmp_path / "work" / "shot.blend"
    target.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(target))
    assert not before.exists()
    assert shown_path(generated) == f"//speech_face/{before.name}/frame_0001.png"
    moved = tmp_path / "moved"
    shutil.move(target.parent, moved)  # a folder that is taken elsewhere as a whole
    bpy.ops.wm.open_mainfile(filepath=str(moved / "shot.blend"))
    assert folder_of(generated) == moved / "speech_face" / before.name
    assert (folder_of(generated) / "frame_0001.png").is_file()


def test_a_save_that_fails_loses_none(generated, tmp_path):
    target = tmp_path / "gone" / "shot.blend"
    target.parent.mkdir()
    target.mkdir()  # a folder has the file's name
    with pytest.raises(RuntimeError):
        bpy.ops.wm.save_as_mainfile(filepath=str(target))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert folder_of(generated).parent == tmp_path / "speech_face"
    assert (folder_of(generated) / "frame_0001.png").is_file()


def test_a_second_save_under_another_name_moves_nothing(generated, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"))
    first = folder_of(generated)
    (tmp_path / "other").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other" / "two.blend"))
    assert folder_of(generated) == first
    assert first.is_dir()


def test_pictures_that_are_missed_are_found_again(generated, tmp_path):
    (tmp_path / "a").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a" / "shot.blend"))
    bpy.ops.file.make_paths_absolute()
    bpy.ops.wm.save_mainfile()
    name = folder_of(generated).name
    (tmp_path / "a").rename(tmp_path / "b")  # absolute paths lead nowhere now
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "b" / "shot.blend"))
    assert folder_of(generated) == tmp_path / "b" / "speech_face" / name


def test_clean_up_takes_what_this_file_no_longer_shows_and_nothing_else(generated, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    for _ in range(2):
        assert bpy.ops.speechface.generate() == {"FINISHED"}
    shown = folder_of(generated)
    folders = set(shown.parent.iterdir())
    assert len(folders) == 3
    foreign, other = shown.parent / "renders", shown.parent / "Other_001"
    foreign.mkdir()
    shutil.copytree(shown, other)
    from blender_addon.pictures import picture_folder

    picture_folder.mark(other, str(tmp_path / "another.blend"))
    assert bpy.ops.speechface.clean_up() == {"FINISHED"}
    assert set(shown.parent.iterdir()) == {shown, foreign, other}
    assert not bpy.ops.speechface.clean_up.poll() or bpy.ops.speechface.clean_up() == {"FINISHED"}


def test_what_files_never_saved_left_is_cleaned_up_a_day_later(generated, preferences):
    from blender_addon.pictures import picture_folder

    left = Path(preferences.data_folder) / "pictures" / "Old_001"
    left.mkdir()
    picture_folder.mark(left, "")
    assert bpy.ops.speechface.clean_up() == {"FINISHED"}
    assert left.is_dir()  # it may be another Blender's
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(left, (two_days_ago, two_days_ago))
    assert bpy.ops.speechface.clean_up() == {"FINISHED"}
    assert not left.exists()
    assert folder_of(generated).is_dir()
