"""Tests that a scene made without a window destroys no file of others, and that a failed run changes nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def make(preferences, fake_backend, speech_file, tmp_path):
    """Makes `scene.blend` with one photo, and returns how a file of others is called now."""
    from blender_addon import __main__
    from blender_addon.pictures.png_writer import encode_png

    preferences.connection_file = str(fake_backend.connection_file)
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode_png(np.full((64, 64, 3), 90, np.uint8)))
    speech = speech_file(1.0)

    def make(seed=0, **values):
        out = tmp_path / "made" / "scene.blend"
        return __main__.make_scene(speech, [photo], out, fps=24, first_frame=1, epochs=0, seed=seed, **values)

    return make


@pytest.fixture
def out(tmp_path):
    (tmp_path / "made").mkdir()
    return tmp_path / "made" / "scene.blend"


def names(out):
    return sorted(path.name for path in out.parent.iterdir())


def test_a_scene_of_an_earlier_run_is_replaced(make, out, character):
    assert make(seed=1) is None
    assert make(seed=2, size=512) is None
    assert names(out) == [".scene.blend.speech_face", "scene.blend", "speech_face"]
    bpy.ops.wm.open_mainfile(filepath=str(out))
    wanted = character()
    assert (wanted.seed, wanted.size) == (2, "512")
    image = wanted.plane.data.materials[0].node_tree.nodes["Speech Face Frames"].image
    assert image.filepath == "//speech_face/speech_002/frame_0001.png"
    assert Path(bpy.path.abspath(image.filepath)).is_file()


def test_a_file_of_others_and_a_scene_that_was_changed_are_kept(make, out):
    out.write_bytes(b"a month's work")
    kept = make()
    assert kept == out.with_name("scene (kept).blend")
    assert kept.read_bytes() == b"a month's work"
    out.write_bytes(b"saved by an artist")
    kept = make()
    assert kept == out.with_name("scene (kept 2).blend")
    assert kept.read_bytes() == b"saved by an artist"
    bpy.ops.wm.open_mainfile(filepath=str(out))


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_is_kept_and_not_followed(make, out):
    work = out.with_name("work.blend")
    work.write_bytes(b"a month's work")
    out.symlink_to(work)
    assert make() == out.with_name("scene (kept).blend")
    assert work.read_bytes() == b"a month's work"
    assert out.is_file() and not out.is_symlink()


def test_a_run_that_fails_leaves_the_old_file_as_it_was(make, out, fake_backend):
    fake_backend.fails_with = "the worker has died"
    out.write_bytes(b"a month's work")
    with pytest.raises(RuntimeError, match="worker has died"):
        make()
    assert out.read_bytes() == b"a month's work"
    assert names(out) == ["scene.blend", "speech_face"]
    assert list((out.parent / "speech_face").iterdir()) == []
