"""What is written for other programs is read back with other tools."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from backend_server.export.arkit_csv import write_arkit_csv
from backend_server.export.contact_sheet import sheet_frames, write_contact_sheet
from backend_server.export.images import frame_path, over_background, shrunk, write_png
from backend_server.export.json_curves import FORMAT, write_json_curves
from backend_server.export.tags import SOURCE_TYPE, synthetic_tags
from shared.arkit import SHAPES


def test_a_png_keeps_its_pixels_and_says_it_is_synthetic(tmp_path, rng):
    picture = rng.integers(0, 256, (16, 20, 4), dtype=np.uint8)
    path = frame_path(tmp_path, 7)
    write_png(path, picture, synthetic_tags("abc", 3))
    assert path.name == "frame_0007.png"
    with Image.open(path) as image:
        np.testing.assert_array_equal(image, picture)
        assert image.info["Seed"] == "3"
        assert "trainedAlgorithmicMedia" in image.info["DigitalSourceType"]
        assert SOURCE_TYPE in image.info["XML:com.adobe.xmp"]


def test_straight_alpha_over_a_colour_by_hand():
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], np.uint8)
    np.testing.assert_array_equal(over_background(rgba, (10, 20, 30))[0], [[200, 100, 0], [10, 20, 30], [48, 36, 24]])
    np.testing.assert_array_equal(over_background(rgba[..., :3], (10, 20, 30)), rgba[..., :3])


def test_a_picture_shrinks_by_a_whole_number_and_only_when_it_must(rng):
    picture = rng.integers(0, 256, (30, 70, 4), dtype=np.uint8)
    np.testing.assert_array_equal(shrunk(picture, 70), picture)
    assert shrunk(picture, 69).shape == (15, 35, 4)
    assert shrunk(picture, 20).shape == (8, 18, 4)


def test_json_curves_hold_every_point(tmp_path, rng):
    landmarks = rng.uniform(0, 255, (4, 68, 2)).astype(np.float32)
    path = tmp_path / "curves.json"
    write_json_curves(path, Fraction(24000, 1001), np.arange(4) / 24, landmarks, landmarks[0], synthetic_tags("abc", 3))
    document = json.loads(path.read_text())
    assert document["format"] == FORMAT
    assert document["metadata"] == synthetic_tags("abc", 3)
    assert document["frame_rate"] == [24000, 1001]
    assert len(document["curves"]) == 68
    assert document["curves"]["outer_lips_00"]["x"] == pytest.approx(landmarks[:, 48, 0], abs=1e-3)
    assert document["curves"]["outer_lips_00"]["neutral"] == pytest.approx(landmarks[0, 48], abs=1e-3)


def test_the_sheet_shows_open_and_closed_mouths_in_order():
    opening = np.sin(np.linspace(0, 30, 100)).astype(np.float32)
    shown = sheet_frames(opening, 10)
    assert len(shown) == 10
    assert (np.diff(shown) > 0).all()
    assert opening[shown[::2]].mean() > opening[shown[1::2]].mean() + 0.5
    np.testing.assert_array_equal(sheet_frames(opening[:3], 10), [0, 1, 2])


@pytest.mark.parametrize("with_pictures", [True, False])
def test_a_sheet_is_drawn(tmp_path, rng, with_pictures):
    opening = rng.uniform(0, 0.2, 40).astype(np.float32)
    shown = sheet_frames(opening)
    pictures = [np.zeros((32, 32, 3), np.uint8) for _ in shown] if with_pictures else []
    landmarks = rng.uniform(0, 255, (40, 68, 2)).astype(np.float32)
    path = tmp_path / "sheet.png"
    curves = (np.arange(40) / 25, opening, np.zeros(160, np.float32), 100.0)
    write_contact_sheet(path, *curves, shown, pictures, landmarks, synthetic_tags("abc", 3))
    with Image.open(path) as sheet:
        assert np.asarray(sheet).std() > 5
        assert sheet.info["Seed"] == "3"


def test_shapes_are_a_table_of_one_line_a_frame(tmp_path):
    weights = np.linspace(0, 1, 3 * 52, dtype=np.float32).reshape(3, 52)
    write_arkit_csv(tmp_path / "arkit.csv", np.array([0, 1 / 24, 2 / 24]), weights)
    lines = (tmp_path / "arkit.csv").read_bytes().decode().split("\n")
    assert lines[0] == "time," + ",".join(SHAPES)
    assert lines[2].startswith("0.0417,0.3355,0.3419,")
    assert lines[3].endswith(",1.0000")
    assert lines[4:] == [""]
