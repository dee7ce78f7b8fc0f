"""Tests that Blender reads what the PNG writer wrote, and that a folder appears complete or not at all."""

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def png(addon):
    from blender_addon import png_writer

    return png_writer


@pytest.mark.parametrize("channels", [3, 4])
def test_blender_reads_the_same_pixels(png, tmp_path, channels):
    pixels = np.random.default_rng(7).integers(0, 256, (37, 23, channels), np.uint8)
    path = tmp_path / "picture.png"
    path.write_bytes(png.encode_png(pixels))
    image = bpy.data.images.load(str(path))
    image.alpha_mode = "CHANNEL_PACKED"
    values = np.empty(37 * 23 * 4, np.float32)
    image.pixels.foreach_get(values)
    read = np.round(values.reshape(37, 23, 4)[::-1] * 255).astype(np.uint8)
    np.testing.assert_array_equal(read[..., :channels], pixels)


def test_a_picture_says_that_it_is_synthetic(png):
    data = png.encode_png(np.zeros((2, 2, 4), np.uint8))
    assert b"trainedAlgorithmicMedia" in data


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (0, 4, 3)])
def test_other_shapes_are_refused(png, shape):
    from blender_addon._shared import errors

    with pytest.raises(errors.ShapeError, match="expected a u8 picture"):
        png.encode_png(np.zeros(shape, np.uint8))


def test_a_sequence_appears_when_it_is_complete(png, tmp_path):
    frames = np.zeros((3, 4, 4, 4), np.uint8)
    folder = png.FrameFolder(tmp_path, "Voice: one/two")
    folder.write(frames[:2])
    folder.write(frames[2:])
    assert [path.name.startswith(".Voice_ one_two.") for path in tmp_path.iterdir()] == [True]
    published = folder.publish()
    assert published.name == "Voice_ one_two_001"
    assert sorted(path.name for path in published.iterdir()) == [f"frame_000{i}.png" for i in range(4)]
    again = png.FrameFolder(tmp_path, "Voice: one/two")
    again.write(frames)
    assert again.publish().name == "Voice_ one_two_002"


def test_a_sequence_that_is_given_up_leaves_nothing(png, tmp_path):
    with png.FrameFolder(tmp_path / "new", "Voice") as folder:
        folder.write(np.zeros((1, 4, 4, 4), np.uint8))
    assert list((tmp_path / "new").iterdir()) == []


def test_two_blenders_with_one_name_do_not_mix_their_faces(png, tmp_path):
    one, other = png.FrameFolder(tmp_path, "Voice"), png.FrameFolder(tmp_path, "Voice")
    faces = [np.full((2, 4, 4, 3), value, np.uint8) for value in (10, 200)]
    for index in range(2):
        one.write(faces[0][index : index + 1])
        other.write(faces[1][index : index + 1])
    published = [one.publish(), other.publish()]
    assert [path.name for path in published] == ["Voice_001", "Voice_002"]
    for folder, face in zip(published, faces, strict=True):
        assert {path.read_bytes() for path in folder.iterdir()} == {png.encode_png(face[0])}
    assert sorted(tmp_path.iterdir()) == published


def test_a_name_that_is_taken_while_publishing_is_left_alone(png, tmp_path, monkeypatch):
    folder, rename, taken = png.FrameFolder(tmp_path, "Voice"), Path.rename, tmp_path / "Voice_001"
    folder.write(np.zeros((1, 4, 4, 4), np.uint8))

    def late(path, target):
        if not taken.exists():
            taken.mkdir()
            (taken / "frame_0001.png").write_bytes(b"of another Blender")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    assert folder.publish().name == "Voice_002"
    assert [path.read_bytes() for path in taken.iterdir()] == [b"of another Blender"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_others_may_read_a_sequence_as_any_new_folder(png, tmp_path):
    (tmp_path / "usual").mkdir()
    folder = png.FrameFolder(tmp_path, "Voice")
    folder.write(np.zeros((1, 4, 4, 4), np.uint8))
    assert folder.publish().stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_was_left_a_week_ago_is_swept_and_nothing_else(png, tmp_path):
    names = [".Voice.0123456789abcdef.partial", "Voice.partial", "Voice_001"]
    week_ago = time.time() - 7 * 24 * 3600 - 60
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "frame_0001.png").touch()
        os.utime(tmp_path / name, (week_ago, week_ago))
    (tmp_path / ".Voice.0123456789abcdee.partial").mkdir()  # of a Blender that runs
    png.FrameFolder(tmp_path, "Other").discard()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".Voice.0123456789abcdee.partial", "Voice.partial", "Voice_001"]


def test_a_full_disk_is_said_in_one_sentence(png, tmp_path, monkeypatch):
    from blender_addon._shared import errors

    folder = png.FrameFolder(tmp_path, "Voice")

    def full(_path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(errors.NoSpaceError, match="the disk is full"):
        folder.write(np.zeros((1, 4, 4, 4), np.uint8))
