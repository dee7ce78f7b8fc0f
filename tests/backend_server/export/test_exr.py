"""EXR as compositors expect it, read back by OpenEXR."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from backend_server.export.exr import scene_linear, write_exr
from backend_server.export.tags import synthetic_tags
from shared.errors import NoSpaceError

TAGS = synthetic_tags("abc", 3)


def test_linear_light_by_hand():
    # ((128 / 255 + 0.055) / 1.055) ** 2.4 = 0.21586; below 0.04045 the curve is a line: 10 / 255 / 12.92 = 0.0030353
    picture = np.array([[[255, 128, 10], [0, 255, 128]]], np.uint8)
    expected = [[[1.0, 0.21586, 0.0030353], [0.0, 1.0, 0.21586]]]
    np.testing.assert_allclose(scene_linear(picture), expected, rtol=1e-3)


def test_alpha_is_linear_and_premultiplied():
    picture = np.array([[[128, 255, 0, 51], [128, 255, 0, 0]]], np.uint8)  # a fifth, and nothing
    np.testing.assert_allclose(scene_linear(picture)[0], [[0.21586 / 5, 0.2, 0, 0.2], [0, 0, 0, 0]], rtol=1e-3)


def test_eight_bits_survive(rng):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    light = scene_linear(levels).astype(np.float64)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_array_equal(np.rint(255 * encoded), levels)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_file_read_back(tmp_path, rng, channels):
    picture = rng.integers(0, 256, (20, 31, channels), dtype=np.uint8)
    write_exr(tmp_path / "a.exr", picture, Fraction(24000, 1001), TAGS)
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        header, found = file.header(), file.channels()
        pixels = found["RGBA"[:channels]].pixels
        assert pixels.dtype == np.float16
        np.testing.assert_array_equal(pixels, scene_linear(picture))
        assert header["compression"] == OpenEXR.ZIP_COMPRESSION
        assert header["framesPerSecond"] == Fraction(24000, 1001)
        assert header["chromaticities"] == pytest.approx((0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329))
        assert {name: header[name] for name in TAGS} == TAGS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_said_in_one_sentence(tmp_path, rng):
    path = tmp_path / "frame_0001.exr"
    path.symlink_to("/dev/full")
    picture = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    with pytest.raises(NoSpaceError, match=r"writing frame_0001\.exr failed: .*No space left"):
        write_exr(path, picture, Fraction(25), TAGS)
