"""In the pose at rest open lips meet, closed ones stay, and nothing else moves."""

import numpy as np
import pytest

from backend_server.face.rest_pose import distance_from_rest, rest_pose


@pytest.fixture
def face():
    """A face whose inner lips lie on a line, inter-ocular distance 100."""
    points = np.zeros((68, 2), np.float32)
    points[36:42, 0], points[42:48, 0] = 50, 150
    points[[37, 38, 43, 44], 1], points[[40, 41, 46, 47], 1] = -5, 5
    for upper, lower, x in ((61, 67, 90), (62, 66, 100), (63, 65, 110)):
        points[upper], points[lower] = (x, 60), (x, 60)
    points[49:54, 1], points[55:60, 1] = 50, 70
    return points


def test_a_closed_mouth_stays_as_it_is(face):
    np.testing.assert_array_equal(rest_pose(face), face)


def test_open_lips_meet_and_the_lower_one_goes_further(face):
    smile = face.copy()
    smile[[65, 66, 67], 1] += 10
    smile[55:60, 1] += 10
    rested = rest_pose(smile)
    np.testing.assert_allclose(rested[[61, 62, 63], 1], rested[[67, 66, 65], 1], atol=1e-5)
    np.testing.assert_allclose(rested[62, 1], 63, atol=1e-5)
    np.testing.assert_allclose(rested[57, 1], smile[57, 1] - 7, atol=1e-5)
    np.testing.assert_array_equal(rested[:48], smile[:48])
    assert smile[66, 1] == 70  # the input is left alone


def test_a_closed_mouth_with_open_eyes_is_nearest_to_rest(face):
    talking, blinking = face.copy(), face.copy()
    talking[66, 1] += 20
    blinking[36:48, 1] = 0
    assert distance_from_rest(face) < min(distance_from_rest(talking), distance_from_rest(blinking))
