import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from backend_server.face.images import read_image
from shared.errors import ImageError
from shared.protocol import MAX_IMAGE_SIDE

COLOURS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_rgb_is_read_as_it_is(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), COLOURS)


def test_grey_palette_and_black_and_white_become_rgb(tmp_path):
    grey = Image.fromarray(COLOURS[..., 0])
    grey.save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(COLOURS[..., :1], 3, axis=2))
    palette = Image.fromarray(COLOURS).quantize(16)
    palette.save(tmp_path / "palette.gif")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.gif"), np.asarray(palette.convert("RGB")))
    grey.convert("1").save(tmp_path / "bits.png")
    assert set(np.unique(read_image(tmp_path / "bits.png"))) == {0, 255}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_keep_the_upper_eight(tmp_path, suffix):
    deep = COLOURS.astype(np.uint16) * 256 + 77
    cv2.imwrite(str(tmp_path / f"grey{suffix}"), deep[..., 0])
    cv2.imwrite(str(tmp_path / f"rgb{suffix}"), deep[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / f"grey{suffix}")[..., 0], COLOURS[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / f"rgb{suffix}"), COLOURS)


def test_the_cameras_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera stood on its right side
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(COLOURS, -1))


def png(width: int, height: int, mode: str = "1") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello, this is no picture at all", "not an image"),
        (png(200, 200)[:-30], "damaged"),
        (png(11000, 10000), "million"),
        (png(40, 2), "at least 16"),
        (png(16, 32_769), "has 16 x 32769 pixels; at most 32768 along a side"),
        (png(6_000_000, 16), "has 6000000 x 16 pixels; at most 32768 along a side"),
        (png(40, 40, "RGBA"), "transparent everywhere"),
    ],
    ids=["empty", "text", "truncated", "huge", "tiny", "high", "wide", "transparent"],
)
def test_files_that_cannot_be_used_are_named(tmp_path, content, said):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=said) as error:
        read_image(path)
    assert str(path) in error.value.sentence


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, pipe):
    with pytest.raises(ImageError, match=r"me\.png is a pipe, socket or device; give a picture file"):
        read_image(pipe(tmp_path / "me.png"))
    with pytest.raises(ImageError, match="is a folder; give a picture file"):
        read_image(tmp_path)


def test_a_side_may_be_as_long_as_in_a_request(tmp_path):
    (tmp_path / "long.png").write_bytes(png(MAX_IMAGE_SIDE, 16))
    assert read_image(tmp_path / "long.png").shape == (16, MAX_IMAGE_SIDE, 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.png"):
        read_image(tmp_path / "none.png")
