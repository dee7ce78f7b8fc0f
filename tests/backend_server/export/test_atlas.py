"""An atlas gives back every pixel of every frame at the rectangles of its metadata."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from backend_server.export.atlas import LONGEST_SIDE, Atlas, Grid, fitting_grid, read_grid
from backend_server.export.tags import synthetic_tags
from shared.errors import ValueRangeError

TAGS = synthetic_tags("abc", 3)


def write(folder, frames, grid):
    with Atlas(folder, len(frames), Fraction(24000, 1001), grid, TAGS) as atlas:
        for frame in frames:
            atlas.add(frame)
    return json.loads((folder / "atlas.json").read_text("utf-8"))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("grid", "pages"), [(None, 1), (Grid(3, 2), 2), (Grid(1, 1), 7), (Grid(7, 1), 1)])
def test_every_frame_is_found_again(tmp_path, rng, channels, grid, pages):
    frames = rng.integers(1, 256, (7, 20, 30, channels), dtype=np.uint8)
    document = write(tmp_path, frames, grid)
    assert len(document["textures"]) == pages
    assert {(t["size"]["w"], t["size"]["h"]) for t in document["textures"]} == {
        (30 * document["columns"], 20 * document["rows"])
    }
    found, names = [], []
    for texture in document["textures"]:
        with Image.open(tmp_path / texture["image"]) as image:
            assert image.size == (texture["size"]["w"], texture["size"]["h"])
            assert image.info["Seed"] == "3"
            page = np.array(image)
        for entry in texture["frames"]:
            box = entry["frame"]
            place = np.s_[box["y"] : box["y"] + box["h"], box["x"] : box["x"] + box["w"]]
            found.append(page[place].copy())
            page[place] = 0
            names.append(entry["filename"])
        assert not page.any()  # what is left over is empty
    np.testing.assert_array_equal(found, frames)
    assert names == [f"frame_{number:04d}" for number in range(1, 8)]


def test_metadata_says_rate_alpha_and_origin(tmp_path, rng):
    document = write(tmp_path, rng.integers(0, 256, (5, 20, 30, 4), dtype=np.uint8), Grid(2, 2))
    assert document["format"] == "speech_face.atlas/1"
    assert document["frame_rate"] == [24000, 1001]
    assert (document["frame_count"], document["columns"], document["rows"]) == (5, 2, 2)
    assert document["frame_size"] == {"w": 30, "h": 20}
    assert (document["alpha"], document["colour_space"]) == ("straight", "sRGB")
    assert document["metadata"] == TAGS
    second = document["textures"][1]
    assert second["frames"][0]["frame"] == {"x": 0, "y": 0, "w": 30, "h": 20}  # row by row from the top left
    assert document["textures"][0]["frames"][2]["frame"] == {"x": 0, "y": 20, "w": 30, "h": 20}
    assert write(tmp_path, np.zeros((1, 20, 30, 3), np.uint8), None)["alpha"] == "none"


@pytest.mark.parametrize(
    ("count", "height", "width", "expected"),
    [
        (75, 256, 256, Grid(9, 9)),
        (1, 256, 256, Grid(1, 1)),
        (256, 256, 256, Grid(16, 16)),
        (5000, 256, 256, Grid(16, 16)),  # what a page of 4096 takes
        (8, 1000, 500, Grid(4, 2)),  # 2000 x 2000
        (100, 3000, 4000, Grid(1, 1)),
    ],
)
def test_the_grid_that_fits_by_hand(count, height, width, expected):
    grid = fitting_grid(count, height, width, None)
    assert grid == expected
    assert max(grid.columns * width, grid.rows * height) <= LONGEST_SIDE
    assert fitting_grid(count, height, width, grid) == grid


def test_pages_that_are_too_large_are_refused_with_what_fits():
    with pytest.raises(
        ValueRangeError, match=r"20x2 frames of 256 x 256 pixels needs pages of 5120 x 512 .* write 16x16 or less"
    ):
        fitting_grid(5, 256, 256, Grid(20, 2))
    with pytest.raises(ValueRangeError, match=r"frames of 6000 x 4000 pixels are too large for an atlas"):
        fitting_grid(5, 4000, 6000, None)


def test_layouts_are_read():
    assert read_grid("8x4") == Grid(8, 4)
    assert read_grid("auto") is None


@pytest.mark.parametrize("text", ["", "8", "0x4", "8x", "axb", "8x4x2", "-1x4", "99999x1"])
def test_other_layouts_are_refused(text):
    with pytest.raises(
        ValueRangeError, match=rf'an atlas of "{text}" is unknown; write columns and rows as 8x4, or auto'
    ):
        read_grid(text)


def test_an_atlas_that_fails_half_way_says_nothing_of_itself(tmp_path, rng):
    with pytest.raises(RuntimeError), Atlas(tmp_path, 5, Fraction(25), None, TAGS) as atlas:
        atlas.add(np.zeros((20, 30, 4), np.uint8))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
