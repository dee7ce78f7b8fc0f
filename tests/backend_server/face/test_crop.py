import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.face.crop import crop_image, crop_transform, to_crop, to_source
from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import LEFT_EYE, RIGHT_EYE


def box_face() -> np.ndarray:
    """Landmarks whose box is 100 wide and 80 high with its corner at (200, 100), eyes level."""
    points = np.full((68, 2), (250.0, 140.0))
    points[0], points[16], points[8] = (200, 100), (300, 100), (250, 180)
    points[RIGHT_EYE], points[LEFT_EYE] = (230, 110), (270, 110)
    return points


def test_the_crop_by_hand():
    transform = crop_transform(box_face())
    side = 165.0  # 1.65 x 100
    scale = side / 256
    np.testing.assert_allclose(transform[:, :2], scale * np.eye(2), atol=1e-6)
    centre = transform[:, :2] @ (127.5, 127.5) + transform[:, 2]
    np.testing.assert_allclose(centre, (250, 140 - 0.08 * side), atol=1e-4)


@given(st.floats(-1.2, 1.2), st.floats(0.2, 8), st.floats(-300, 300))
@settings(max_examples=40)
def test_the_crop_follows_the_face(angle, scale, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    upright = box_face()
    moved = upright @ turn.T + shift
    in_crop = to_crop(upright, crop_transform(upright))
    np.testing.assert_allclose(to_crop(moved, crop_transform(moved)), in_crop, atol=2e-2)
    np.testing.assert_allclose(to_source(in_crop, crop_transform(moved)), moved, atol=0.05 * scale)


def test_pixels_lie_where_the_points_say():
    image = np.zeros((300, 400, 3), np.uint8)
    image[138:143, 248:253] = 255
    transform = crop_transform(box_face())
    crop = crop_image(image, transform)
    rows, columns = np.nonzero(crop[..., 0] > 127)
    np.testing.assert_allclose((columns.mean(), rows.mean()), to_crop(np.array([250.0, 140.0]), transform), atol=0.3)
    assert crop.shape == (256, 256, 3)


def test_a_large_source_is_reduced_without_aliasing():
    stripes = np.zeros((2560, 2560, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_image(stripes, np.array([[10.0, 0, 4.5], [0, 10.0, 4.5]], np.float32))
    assert np.abs(crop[20:-20, 20:-20].astype(int) - 127).max() < 8


def test_landmarks_without_extent_are_refused():
    with pytest.raises(ValueRangeError, match="one point"):
        crop_transform(np.ones((68, 2)))
    with pytest.raises(ShapeError, match="68"):
        crop_transform(np.ones((5, 2)))
