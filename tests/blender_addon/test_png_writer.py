"""Tests that Blender reads what the PNG writer wrote, and that a folder appears complete or not at all."""

import errno
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
    assert [path.name for path in tmp_path.iterdir()] == ["Voice_ one_two.partial"]
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


def test_a_full_disk_is_said_in_one_sentence(png, tmp_path, monkeypatch):
    from blender_addon._shared import errors

    folder = png.FrameFolder(tmp_path, "Voice")

    def full(_path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(errors.NoSpaceError, match="the disk is full"):
        folder.write(np.zeros((1, 4, 4, 4), np.uint8))
