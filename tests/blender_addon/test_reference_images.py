"""Tests that the pictures for the backend have the values of the files, the right way up."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def reference_images(addon):
    from blender_addon.speakers import reference_images

    return reference_images


def pixels_of(image):
    from blender_addon import slices
    from blender_addon.speakers import reference_images

    return slices.exhaust(reference_images.pixels_of(image))


def read_all(images):
    from blender_addon import slices
    from blender_addon.speakers import reference_images

    return slices.exhaust(reference_images.read_all(len(images), images.__getitem__))


@pytest.fixture
def save(addon, tmp_path):
    """Writes pixels u8 as a PNG and loads it."""
    from blender_addon.pictures.png_writer import encode_png

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
    np.testing.assert_array_equal(pixels_of(image), pixels)


def test_transparency_is_kept_and_a_full_one_left_out(reference_images, save):
    pixels = np.full((16, 16, 4), 200, np.uint8)
    pixels[..., 3] = np.repeat([0, 255, 51, 255], 4)
    read = pixels_of(save(pixels))
    np.testing.assert_array_equal(read[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(read[:, 4:, :3], pixels[:, 4:, :3])
    pixels[..., 3] = 255
    assert pixels_of(save(pixels, "opaque.png")).shape == (16, 16, 3)


def test_transparency_that_blender_ignores_is_ignored(reference_images, save):
    image = save(np.full((16, 16, 4), [200, 90, 30, 0], np.uint8))
    image.alpha_mode = "NONE"
    assert (pixels_of(image) == (200, 90, 30)).all()


def test_colours_under_transparent_pixels_do_not_mix_in_when_halved(reference_images, save):
    pixels = np.full((16, 4100, 4), [200, 90, 30, 255], np.uint8)
    pixels[:, 1::2] = (0, 255, 0, 0)
    read = pixels_of(save(pixels))
    assert read.shape == (4, 1025, 4)
    assert np.abs(read.astype(int) - (200, 90, 30, 128)).max() <= 1


@pytest.mark.parametrize("depth", ["8", "16"])
def test_colours_under_partial_alpha_are_straight(reference_images, tmp_path, depth):
    """Blender multiplies the colours of 16-bit files by their alpha; they come back as the file has them."""
    image = bpy.data.images.new("made", 16, 16, float_buffer=True, alpha=True)
    linear = np.array([0.5, 0.2, 0.05], np.float32)
    image.pixels.foreach_set(np.tile([*(0.5 * linear), 0.5], 256).astype(np.float32))
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", depth
    bpy.context.scene.view_settings.view_transform = "Standard"
    path = tmp_path / "photo.png"
    image.save_render(str(path), scene=bpy.context.scene)
    read = pixels_of(bpy.data.images.load(str(path)))
    expected = np.round(reference_images.linear_to_srgb(linear) * 255)
    assert np.abs(read[0, 0].astype(int) - (*expected, 128)).max() <= 2


@pytest.mark.parametrize(
    ("file_format", "mode", "depth"), [("PNG", "RGB", "16"), ("PNG", "BW", "8"), ("TIFF", "RGBA", "16")]
)
def test_16_bit_and_grey_files(reference_images, tmp_path, file_format, mode, depth):
    image = bpy.data.images.new("made", 16, 16, float_buffer=True)
    linear = np.linspace(0, 1, 16 * 16, dtype=np.float32)
    values = np.repeat(linear[:, None], 4, axis=1)
    values[:, 3] = 1
    image.pixels.foreach_set(values.ravel())
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = file_format, mode, depth
    bpy.context.scene.view_settings.view_transform = "Standard"
    path = tmp_path / f"photo.{file_format.lower()}"
    image.save_render(str(path), scene=bpy.context.scene)
    read = pixels_of(bpy.data.images.load(str(path)))
    expected = np.round(reference_images.linear_to_srgb(linear) * 255).reshape(16, 16)[::-1]
    assert np.abs(read[..., 1].astype(int) - expected).max() <= 1


def test_the_longest_images_are_halved(reference_images):
    assert pixels_of(bpy.data.images.new("long", 32_768, 16)).shape == (1, 2048, 3)


def test_large_images_are_halved(reference_images, save):
    image = save(np.full((16, 4100, 3), 90, np.uint8))
    read = pixels_of(image)
    assert read.shape == (4, 1025, 3)
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
        pixels_of(image)


def test_a_photo_is_sent_as_its_file_also_when_it_is_packed(reference_images, save, tmp_path):
    image = save(np.full((16, 16, 3), 90, np.uint8))
    content = (tmp_path / "photo.png").read_bytes()
    assert reference_images.file_of(image).tobytes() == content
    image.pack()
    (tmp_path / "photo.png").unlink()
    assert reference_images.file_of(image).tobytes() == content


@pytest.mark.parametrize(
    "content", [b"\0\0\0\x18ftypheic" + bytes(30), b"\xff\xd8\xff\xe1 Display P3", b"RIFF\0\0\0\0WEBP" + bytes(30)]
)
def test_blender_need_not_know_the_kind_of_a_photo(reference_images, tmp_path, content):
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert reference_images.file_of(bpy.data.images.load(str(path))).tobytes() == content


def test_pixels_are_sent_of_what_differs_from_its_file_or_has_none(reference_images, save, tmp_path):
    grey = np.full((16, 16, 3), 90, np.uint8)
    images = [save(grey, f"{name}.png") for name in ("painted", "scaled", "plain", "gone")]
    painted, scaled, plain, _ = images
    assert all(reference_images.file_of(image) is not None for image in images)
    painted.pixels[0] = 0.5
    scaled.scale(32, 32)
    plain.alpha_mode = "NONE"
    (tmp_path / "gone.png").unlink()
    images += [bpy.data.images.new("generated", 16, 16)]
    assert all(reference_images.file_of(image) is None for image in images)


def test_painted_images_come_before_photos_and_keep_their_names(reference_images, save):
    photo, painted = save(np.full((16, 16, 3), 90, np.uint8)), bpy.data.images.new("painted", 20, 16)
    pictures = read_all([photo, painted])
    assert pictures.names == ("painted", "photo.png")
    assert [image.shape for image in pictures.images] == [(16, 20, 3)]
    assert len(pictures.files) == 1


@pytest.mark.parametrize(("width", "height"), [(5000, 1), (15, 40), (32_769, 16)])
def test_stripes_are_refused_with_a_sentence(reference_images, width, height):
    image = bpy.data.images.new("stripe", width, height)
    with pytest.raises(reference_images.errors.ImageError, match=f"stripe has {width} x {height} pixels; use one with"):
        pixels_of(image)


def test_empty_rows_and_too_many_images_are_said(reference_images, save):
    image = save(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(reference_images.errors.ImageError, match="a row of the reference images is empty"):
        read_all([image, None])
    with pytest.raises(reference_images.errors.ImageError, match="21 reference images are too many"):
        read_all([image] * 21)
