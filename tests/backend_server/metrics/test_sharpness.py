from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut

from backend_server.metrics.luminance import luminance
from backend_server.metrics.sharpness import blur_probability, cpbd, edge_widths
from shared.errors import ShapeError


def ramp(width: int, low: float = 20, high: float = 220, start: int = 32) -> np.ndarray:
    """64 x 64, dark on the left; rises linearly between columns `start` and `start + width`."""
    row = np.interp(np.arange(64), [start, start + width], [low, high])
    return np.tile(row, (64, 1))


@pytest.fixture
def tiles() -> np.ndarray:
    """Rectangles of random grey with sharp borders, 256 x 256."""
    return np.random.default_rng(0).integers(0, 256, (8, 16)).repeat(32, axis=0).repeat(16, axis=1).astype(np.uint8)


def blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(grey.astype(float), sigma).round().astype(np.uint8)


@pytest.mark.parametrize("width", [2, 3, 5, 8, 13])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_ramp_is_as_wide_as_it_is(width, turn):
    widths = edge_widths(ramp(width)[:, ::turn])[1:-1]  # the border does not count
    assert (np.count_nonzero(widths, axis=1) == 1).all()  # one edge a row
    assert set(widths[widths > 0]) == {width}


def test_a_step_measures_two():
    widths = edge_widths(ramp(1))
    assert set(widths[widths > 0]) == {2}


def test_level_edges_do_not_count():
    assert not edge_widths(ramp(4).T).any()


def test_probability_of_blur_by_hand():
    assert blur_probability(np.array([3.0, 6.0]), 200) == pytest.approx([1 - np.exp(-1), 1 - np.exp(-(2**3.6))])
    assert blur_probability(np.array([3.0, 5.0]), 50) == pytest.approx([1 - np.exp(-(0.6**3.6)), 1 - np.exp(-1)])


@pytest.mark.parametrize(("width", "contrast", "expected"), [(3, 200, 1), (4, 200, 0), (5, 40, 1), (6, 40, 0)])
def test_a_ramp_is_sharp_up_to_the_just_noticeable_width(width, contrast, expected):
    assert cpbd(ramp(width, 50, 50 + contrast).round().astype(np.uint8)) == expected


def test_blocks_are_counted_by_their_edges():
    sharp, soft = ramp(2), ramp(8)
    assert cpbd(np.hstack([sharp, soft[:, ::-1]]).astype(np.uint8)) == pytest.approx(0.5)


def test_blur_lowers_it_step_by_step(tiles):
    softer = [blurred(column, sigma) for column, sigma in zip(np.hsplit(tiles, 4), (0, 0.4, 0.6, 0.8), strict=True)]
    scores = [cpbd(tiles)] + [cpbd(blurred(np.hstack(softer), sigma)) for sigma in (0, 0.3, 0.5, 0.7, 2.5)]
    assert scores[0] == 1
    assert all(sharper > blurrier for sharper, blurrier in pairwise(scores[:5])), scores
    assert scores[5] < 0.02


def test_a_photograph_scores_lower_the_more_it_is_blurred():
    scores = [cpbd(blurred(luminance(astronaut()), sigma)) for sigma in (0, 0.5, 1.0, 1.5, 3.0)]
    assert 0.3 < scores[0] < 0.7
    assert all(sharper > blurrier for sharper, blurrier in pairwise(scores)), scores


def test_colour_counts_by_its_luminance(tiles):
    assert cpbd(np.stack([tiles, tiles, tiles], axis=-1)) == cpbd(tiles)
    assert luminance(np.array([[[255, 0, 0], [0, 100, 10]]], np.uint8)) == pytest.approx(np.array([[76.245, 59.84]]))


def test_without_edges_there_is_no_score():
    assert np.isnan(cpbd(np.full((128, 128, 3), 90, np.uint8)))
    assert np.isnan(cpbd(np.zeros((32, 32), np.uint8)))  # smaller than a block
    with pytest.raises(ShapeError, match=r"\(8, 8, 4\)"):
        cpbd(np.zeros((8, 8, 4), np.uint8))
