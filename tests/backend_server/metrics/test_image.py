import numpy as np
import pytest

from backend_server.metrics.image import gmsd, mouth_box, mouth_psnr, psnr, ssim
from shared.errors import ShapeError


def test_psnr_by_hand():
    black = np.zeros((16, 16, 3), np.uint8)
    assert psnr(black + 5, black) == pytest.approx(10 * np.log10(255**2 / 25))
    assert psnr(black, black) == float("inf")


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 200, (32, 32, 3)).astype(np.uint8)
    noisy = [picture + rng.integers(0, high, picture.shape).astype(np.uint8) for high in (10, 50)]
    assert ssim(picture, picture) == pytest.approx(1)
    assert 1 > ssim(noisy[0], picture) > ssim(noisy[1], picture) > 0


def test_gmsd_of_one_edge_by_hand():
    flat = np.full((17, 16, 3), 100, np.uint8)  # the last row is left out at half size
    step = flat.copy()
    step[:16, 8:] += 20
    # At half size 2 of 8 columns have a gradient of 20; their similarity is 170 / (20^2 + 170), elsewhere it is 1.
    wanted = (1 - 170 / 570) * np.sqrt(2 / 8 * 6 / 8)
    assert gmsd(step, flat) == gmsd(flat, step) == pytest.approx(wanted)
    assert gmsd(step, step) == 0
    assert gmsd(step + np.uint8(30), step) == pytest.approx(0)  # brighter, but with the same edges
    assert gmsd(step, step // 2) < wanted  # half an edge is better than none


def test_gmsd_counts_one_bad_place_more_than_the_same_error_everywhere():
    rng = np.random.default_rng(0)
    truth = np.full((64, 64, 3), 100, np.uint8)
    signs = rng.choice([-1, 1], (64, 64, 1))
    place = np.zeros((64, 64, 1))
    place[16:32, 16:32] = 40  # a sixteenth of the picture
    bad, slight = ((truth + strength * signs).astype(np.uint8) for strength in (place, 10))
    assert psnr(bad, truth) == pytest.approx(psnr(slight, truth))
    assert gmsd(bad, truth) > 1.2 * gmsd(slight, truth)


@pytest.fixture
def lips() -> np.ndarray:
    """Landmarks whose lips are 20 wide and 10 high, from (30, 40) on."""
    landmarks = np.full((68, 2), 40.0)
    landmarks[48:68] = np.random.default_rng(0).uniform((30, 40), (50, 50), (20, 2))
    landmarks[48], landmarks[54] = (30, 40), (50, 50)
    return landmarks


def test_only_the_mouth_counts(lips):
    assert mouth_box(lips, 64, 64) == (slice(38, 53), slice(26, 55))
    truth = np.full((64, 64, 3), 90, np.uint8)
    picture = truth.copy()
    picture[38:53, 26:55] += 5
    assert mouth_psnr(picture, truth, lips) == pytest.approx(10 * np.log10(255**2 / 25))
    assert mouth_psnr(truth, 255 - truth, lips) == psnr(truth, 255 - truth)
    picture[38:53, 26:55] = 90
    picture[37], picture[:, 25] = 0, 0
    assert mouth_psnr(picture, truth, lips) == float("inf")


def test_a_mouth_beyond_the_edge_is_cut_off(lips):
    assert mouth_box(lips, 45, 40) == (slice(38, 45), slice(26, 40))
    assert mouth_box(lips - 35, 64, 64) == (slice(3, 18), slice(0, 20))
    picture = np.zeros((64, 64, 3), np.uint8)
    assert np.isnan(mouth_psnr(picture, picture, lips + 100))
    assert np.isnan(mouth_psnr(picture, picture, lips - 100))


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"\(8, 8, 3\)"):
        psnr(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(ShapeError, match=r"\(8, 8, 3\)"):
        gmsd(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))
