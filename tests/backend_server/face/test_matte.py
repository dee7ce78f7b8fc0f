import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face.matte import fine_alpha, person_matte, rough_alpha
from shared.errors import ImageError


@pytest.fixture(scope="module")
def matte():
    return person_matte(astronaut())


def test_the_person_is_full_and_the_wall_empty(matte):
    assert matte.shape == (512, 512)
    assert matte.dtype == np.uint8
    assert matte[90:160, 195:250].min() > 240  # face
    assert matte[300:400, 200:260].min() > 200  # suit
    assert matte[20:120, 320:350].max() < 15  # wall between head and model
    assert matte[10:60, 90:140].max() < 15


def test_the_edge_is_thin(matte):
    """Half-covered pixels surround the head only narrowly."""
    head = matte[:160]
    assert ((head > 25) & (head < 230)).mean() < 0.03


def test_strands_of_hair_are_solved_for(drawn_head):
    """Against the true cover: a fifth of the guided filter's error, at the edge a tenth of its square."""
    image, alpha, _, mask = drawn_head
    rough, fine = rough_alpha(image, mask), fine_alpha(image, mask)
    edge = (alpha > 0) & (alpha < 1)
    assert np.abs(fine - alpha).sum() < np.abs(rough - alpha).sum() / 5
    assert np.square(fine - alpha)[edge].mean() < np.square(rough - alpha)[edge].mean() / 10
    assert np.abs(fine - alpha)[edge].mean() < 0.05


def test_a_sure_mask_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    for cover in (0, 1):
        np.testing.assert_array_equal(fine_alpha(image, np.full((40, 50), cover, np.float32)), cover)


def test_a_mask_that_doubts_everything_is_solved_at_a_smaller_size():
    picture = cv2.resize(astronaut(), (768, 768))
    found = fine_alpha(picture, np.full((768, 768), 0.5, np.float32))
    assert found.shape == (768, 768)
    np.testing.assert_allclose(found, 0.5, atol=0.02)


@pytest.mark.parametrize("is_fine", [True, False])
@pytest.mark.parametrize("size", [(3000, 4000), (3, 200), (1, 1)])
def test_any_size_has_its_matte(size, is_fine):
    picture = cv2.resize(astronaut(), size[::-1], interpolation=cv2.INTER_AREA)
    assert person_matte(picture, is_fine=is_fine).shape == size


def test_what_is_no_image_is_refused():
    with pytest.raises(ImageError, match="8-bit RGB"):
        person_matte(np.zeros((5, 5, 4), np.uint8))
