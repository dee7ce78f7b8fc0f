import json

import numpy as np
import pytest
import torch

from backend_server.texture.mouth_colours import SHIPPED, MouthColours, load_mouth_colours, skin_colours
from shared.errors import WeightsError

SKIN = torch.tensor([0.8, 0.6, 0.4])
BOUNDS = MouthColours(
    np.array([0.2, 1.0], np.float32),
    np.array([[0.4, 0.0], [0.8, 0.1]], np.float32),
    np.array([[-0.1, -0.1], [0.1, 0.1]], np.float32),
)


def picture(colour):
    """A picture of one colour, (1, 3, 4, 4) in [-1, 1]."""
    return (2 * torch.tensor(colour)[None, :, None, None] - 1).expand(1, 3, 4, 4).contiguous()


def redness(pictures):
    red, green, _ = pictures[0, :, 0, 0].add(1).div(2).log()
    return float(red - green - (SKIN[0] / SKIN[1]).log())


def luminance(pictures):
    return float(pictures[0, :, 0, 0].add(1).div(2) @ torch.tensor([0.2126, 0.7152, 0.0722]))


def test_green_teeth_become_as_green_as_teeth_may_be():
    green = picture([0.4, 0.6, 0.3])
    made = BOUNDS.natural(green, torch.ones(1, 1, 4, 4), SKIN)
    beside = luminance(green) / (0.2126 * 0.8 + 0.7152 * 0.6 + 0.0722 * 0.4)
    assert redness(made) == pytest.approx(np.interp(beside, (0.2, 1), (0.4, 0)), abs=1e-4)
    assert luminance(made) == pytest.approx(luminance(green), abs=1e-5)


def test_what_lies_between_the_bounds_stays():
    natural = picture([0.785, 0.522, 0.348])
    torch.testing.assert_close(BOUNDS.natural(natural, torch.ones(1, 1, 4, 4), SKIN), natural, atol=1e-5, rtol=0)


def test_only_the_mouth_changes_and_by_its_share():
    green = picture([0.4, 0.6, 0.3])
    share = torch.zeros(1, 1, 4, 4)
    share[0, 0, 1, 1:3] = torch.tensor([1.0, 0.5])
    made = BOUNDS.natural(green, share, SKIN)
    whole = BOUNDS.natural(green, torch.ones(1, 1, 4, 4), SKIN)
    torch.testing.assert_close(made[..., 1, 1], whole[..., 1, 1])
    torch.testing.assert_close(made[..., 1, 2], (green + whole)[..., 1, 2] / 2)
    changed = (made != green).any(1)[0]
    assert changed.sum() == 2
    assert BOUNDS.natural(green, torch.zeros(1, 1, 4, 4), SKIN) is green


def test_the_darkest_pixel_is_no_trouble():
    made = BOUNDS.natural(picture([0.0, 0.0, 0.0]), torch.ones(1, 1, 4, 4), SKIN)
    assert torch.isfinite(made).all()
    assert made.max() < -0.95


def test_skin_is_read_where_no_strand_of_hair_lies():
    landmarks = torch.from_numpy(np.random.default_rng(0).uniform(60, 200, (1, 68, 2)).astype(np.float32))
    image = (2 * SKIN[None, :, None, None] - 1).expand(1, 3, 256, 256).clone()
    x, y = ((landmarks[0, 2] + landmarks[0, 31]) / 2).round().long()
    image[0, :, y - 4 : y + 5, x - 4 : x + 5] = -1
    torch.testing.assert_close(skin_colours(image, landmarks)[0], SKIN)


def test_what_ships_was_measured_and_is_written_again(tmp_path):
    shipped = load_mouth_colours()
    assert "people" in json.loads(SHIPPED.read_text("utf-8"))["source"]
    assert (np.diff(shipped.luminance) > 0).all()
    assert (np.diff(shipped.redness.mean(0)) < 0.05).all()  # dark insides are redder
    shipped.save(tmp_path / "again.json", "a test")
    np.testing.assert_array_equal(load_mouth_colours(tmp_path / "again.json").redness, shipped.redness)


@pytest.mark.parametrize("content", [None, "{", '{"format": "speech_face.mouth_colours"}', '{"format": "other"}'])
def test_a_file_that_holds_no_colours_is_named(tmp_path, content):
    path = tmp_path / "colours.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(WeightsError, match=r"colours\.json"):
        load_mouth_colours(path)
