"""Tests that the pictures for the backend have the values of the files, the right way up."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def reference_images(addon):
    from blender_addon import reference_images

    return reference_images


@pytest.fixture
def save(addon, tmp_path):
    """Writes pixels u8 as a PNG and loads it."""
    from blender_addon.png_writer import encode_png

    def save(pixels, name="photo.png"):
        path = tmp_path / name
        path.write_bytes(encode_png(pixels))
        return bpy.data.images.load(str(path))

    return save


@pytest.mark.parametrize("colour_space", ["sRGB", "Non-Color", "Linear Rec.709"])
def test_values_are_those_of_the_file(reference_images, save, colour_space):
    pixels = np.random.default_rng(3).integers(0, 256, (30, 20, 3), np.uint8)
    image = save(pixels)
    image.colorspace_settings.name = colour_space
    np.testing.assert_array_equal(reference_images.read(image), pixels)


def test_transparency_is_kept_and_a_full_one_left_out(reference_images, save):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = [0, 255, 51, 255]
    read = reference_images.read(save(pixels))
    np.testing.assert_array_equal(read[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(read[:, 1:, :3], pixels[:, 1:, :3])
    pixels[..., 3] = 255
    assert reference_images.read(save(pixels, "opaque.png")).shape == (4, 4, 3)


def test_transparency_that_blender_ignores_is_ignored(reference_images, save):
    image = save(np.full((4, 4, 4), [200, 90, 30, 0], np.uint8))
    image.alpha_mode = "NONE"
    assert (reference_images.read(image) == (200, 90, 30)).all()


def test_colours_under_transparent_pixels_do_not_mix_in_when_halved(reference_images, save):
    pixels = np.full((10, 4100, 4), [200, 90, 30, 255], np.uint8)
    pixels[:, 1::2] = (0, 255, 0, 0)
    read = reference_images.read(save(pixels))
    assert read.shape == (2, 1025, 4)
    assert np.abs(read.astype(int) - (200, 90, 30, 128)).max() <= 1


@pytest.mark.parametrize("depth", ["8", "16"])
def test_colours_under_partial_alpha_are_straight(reference_images, tmp_path, depth):
    """Blender multiplies the colours of 16-bit files by their alpha; they come back as the file has them."""
    image = bpy.data.images.new("made", 8, 8, float_buffer=True, alpha=True)
    linear = np.array([0.5, 0.2, 0.05], np.float32)
    image.pixels.foreach_set(np.tile([*(0.5 * linear), 0.5], 64).astype(np.float32))
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", depth
    bpy.context.scene.view_settings.view_transform = "Standard"
    path = tmp_path / "photo.png"
    image.save_render(str(path), scene=bpy.context.scene)
    read = reference_images.read(bpy.data.images.load(str(path)))
    expected = np.round(reference_images.linear_to_srgb(linear) * 255)
    assert np.abs(read[0, 0].astype(int) - (*expected, 128)).max() <= 2


@pytest.mark.parametrize(
    ("file_format", "mode", "depth"), [("PNG", "RGB", "16"), ("PNG", "BW", "8"), ("TIFF", "RGBA", "16")]
)
def test_16_bit_and_grey_files(reference_images, tmp_path, file_format, mode, depth):
    image = bpy.data.images.new("made", 16, 8, float_buffer=True)
    linear = np.linspace(0, 1, 16 * 8, dtype=np.float32)
    values = np.repeat(linear[:, None], 4, axis=1)
    values[:, 3] = 1
    image.pixels.foreach_set(values.ravel())
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = file_format, mode, depth
    bpy.context.scene.view_settings.view_transform = "Standard"
    path = tmp_path / f"photo.{file_format.lower()}"
    image.save_render(str(path), scene=bpy.context.scene)
    read = reference_images.read(bpy.data.images.load(str(path)))
    expected = np.round(reference_images.linear_to_srgb(linear) * 255).reshape(8, 16)[::-1]
    assert np.abs(read[..., 1].astype(int) - expected).max() <= 1


def test_large_images_are_halved(reference_images, save):
    image = save(np.full((10, 4100, 3), 90, np.uint8))
    read = reference_images.read(image)
    assert read.shape == (2, 1025, 3)
    assert (read == 90).all()


def test_transfer_function_by_hand(reference_images):
    linear = np.array([0, 0.002, 0.214, 1.0], np.float32)
    np.testing.assert_allclose(reference_images.linear_to_srgb(linear), [0, 0.02584, 0.5, 1.0], atol=2e-4)


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_what_is_no_image_is_said(reference_images, tmp_path, content):
    path = tmp_path / "photo.png"
    path.write_bytes(content or b"")
    image = bpy.data.images.load(str(path))
    if content is None:
        path.unlink()
    with pytest.raises(reference_images.errors.ImageError, match=r"photo.png cannot be read"):
        reference_images.read(image)


def test_empty_rows_and_too_many_images_are_said(reference_images, save):
    image = save(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(reference_images.errors.ImageError, match="a row of the reference images is empty"):
        reference_images.read_all([image, None])
    with pytest.raises(reference_images.errors.ImageError, match="21 reference images are too many"):
        reference_images.read_all([image] * 21)
