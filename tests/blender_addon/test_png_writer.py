"""Tests that Blender reads what the PNG writer wrote, and that a folder appears complete or not at all."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def png(addon):
    from blender_addon.pictures import png_writer

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


def test_a_picture_is_read_again(png):
    for channels in (3, 4):
        pixels = np.random.default_rng(channels).integers(0, 256, (19, 23, channels), np.uint8)
        np.testing.assert_array_equal(png.decode_png(png.encode_png(pixels)), pixels)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\1IHDR\0abcd"])
def test_other_files_are_refused(png, data):
    from blender_addon._shared import errors

    with pytest.raises(errors.ShapeError, match="not written by Speech Face"):
        png.decode_png(data)
