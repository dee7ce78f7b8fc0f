"""Tests that pixels of the crop and metres of the XZ plane map onto each other."""

import numpy as np
import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")
from hypothesis import given
from hypothesis import strategies as st


def test_centres_of_corner_pixels_lie_half_a_pixel_inside(addon):
    square = addon.generation.CropPlane(width=2.56)
    metres = square.to_metres(np.array([(0, 0), (255, 255), (127.5, 127.5)]))
    np.testing.assert_allclose(metres, [(-1.275, 1.275), (1.275, -1.275), (0, 0)], atol=1e-12)


@given(
    width=st.floats(0.01, 100),
    size=st.integers(1, 4096),
    point=st.tuples(st.floats(-500, 5000), st.floats(-500, 5000)),
)
def test_there_and_back(width, size, point):
    from blender_addon.coordinates import CropPlane

    square = CropPlane(width, size)
    np.testing.assert_allclose(square.to_pixels(square.to_metres(np.array(point))), point, atol=1e-6)


def test_the_square_faces_the_front_view(addon):
    corners = addon.generation.CropPlane(width=3.0).corners()
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    np.testing.assert_allclose(normal, (0, -9, 0))
