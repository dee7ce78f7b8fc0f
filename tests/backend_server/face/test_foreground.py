import numpy as np
import pytest

from backend_server.face.foreground import foreground_colours
from backend_server.face.matte import fine_alpha, rough_alpha
from shared.errors import ImageError


def composed(alpha: np.ndarray, colours: np.ndarray, background: float) -> np.ndarray:
    return alpha[..., None] * colours + (1 - alpha[..., None]) * background


def test_one_colour_before_another_comes_back_everywhere():
    front, back = np.array([180, 120, 60]), np.array([20, 200, 90])
    matte = np.zeros((64, 80), np.uint8)
    matte[:, 50:] = 255
    matte[:, 30:50] = np.linspace(10, 245, 20).round()
    image = np.round(composed(matte / 255, front, 0) + composed(1 - matte / 255, back, 0)).astype(np.uint8)
    found = foreground_colours(image, matte)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - front).max() <= 4
    np.testing.assert_array_equal(found[:, 50:], image[:, 50:])


def test_beyond_the_person_the_nearest_of_its_colours_goes_on():
    image = np.full((90, 60, 3), 255, np.uint8)  # a white wall, a person red above and blue below
    image[:45, 20:40] = (160, 20, 20)
    image[45:, 20:40] = (20, 20, 160)
    matte = np.zeros((90, 60), np.uint8)
    matte[:, 20:40] = 255
    found = foreground_colours(image, matte).astype(int)
    assert np.abs(found[10, [17, 42]] - (160, 20, 20)).max() < 8
    assert np.abs(found[80, [17, 42]] - (20, 20, 160)).max() < 8
    assert found.max() <= 165  # nothing of the wall


def test_a_full_matte_and_an_empty_one_leave_the_image():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    for cover in (0, 255):
        np.testing.assert_array_equal(foreground_colours(image, np.full((20, 30), cover, np.uint8)), image)


def test_hair_on_another_wall_has_no_halo(drawn_head):
    """Against the true picture on white and on black: a few grey levels, and a fraction of what crop and mask leave."""
    image, alpha, person, mask = drawn_head
    edge = (alpha > 0) & (alpha < 1)
    fine = np.round(fine_alpha(image, mask) * 255).astype(np.uint8)
    own = foreground_colours(image, fine)
    rough = rough_alpha(image, mask)
    for wall in (255, 0):
        truth = composed(alpha, person, wall)
        after = np.abs(composed(fine / 255, own, wall) - truth)[edge]
        before = np.abs(composed(rough, image, wall) - truth)[edge]
        assert after.mean() < 8
        assert after.mean() < before.mean() / 4
    known = foreground_colours(image, np.round(alpha * 255).astype(np.uint8))
    assert np.abs(known - person)[alpha > 0.2].mean() < 2  # with the true matte only rounding is left


def test_what_does_not_fit_is_refused():
    image = np.zeros((5, 6, 3), np.uint8)
    with pytest.raises(ImageError, match=r"\(5, 6\), got uint8 of shape \(6, 5\)"):
        foreground_colours(image, np.zeros((6, 5), np.uint8))
    with pytest.raises(ImageError, match="8-bit RGB"):
        foreground_colours(image[..., 0], np.zeros((5, 6), np.uint8))
