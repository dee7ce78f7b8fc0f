import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face.matte import person_matte
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


def test_what_is_no_image_is_refused():
    with pytest.raises(ImageError, match="8-bit RGB"):
        person_matte(np.zeros((5, 5, 4), np.uint8))
