import numpy as np
import pytest

from backend_server.metrics.image import psnr, ssim
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


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"\(8, 8, 3\)"):
        psnr(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))
