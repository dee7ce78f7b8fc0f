import numpy as np
import pytest

from shared import head
from shared.errors import ValueRangeError
from shared.landmarks import LEFT_EYE, RIGHT_EYE, STABLE

NOSE = 30


@pytest.fixture
def face():
    """A face at rest whose eyes lie 50 pixels apart, the left one 30 lower."""
    neutral = np.random.default_rng(3).uniform(60, 190, (68, 2))
    neutral[RIGHT_EYE], neutral[LEFT_EYE] = (100, 100), (140, 130)
    return neutral


def pose(**values):
    return np.array([[values.get(name, 0.0) for name in head.POSE]])


def test_axes_lie_along_the_eyes_and_begin_amid_what_holds_still(face):
    axes = head.HeadAxes.of(face)
    assert axes.eye_distance == 50
    np.testing.assert_array_equal(axes.down, (-30, 40))
    np.testing.assert_allclose(axes.enter(axes.pivot + np.array((40, 30))), (1, 0), atol=1e-12)
    np.testing.assert_allclose(axes.enter(axes.pivot + np.array((-30, 40))), (0, 1), atol=1e-12)
    np.testing.assert_allclose(axes.enter(face)[list(STABLE)].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(axes.leave(axes.enter(face)), face, atol=1e-9)


def test_a_pose_is_as_worked_out_by_hand():
    point = np.array([[0.0, 0.0, -1.0]])  # a nose, one eye distance before the pivot

    def at(**values):
        return head.seen(point, pose(**values))[0, 0]

    np.testing.assert_allclose(at(yaw=0.1), (-np.sin(0.1), 0))  # to the person's right, which is the picture's left
    np.testing.assert_allclose(at(pitch=0.1), (0, np.sin(0.1)))
    np.testing.assert_allclose(at(roll=0.1), (0, 0))
    both = (-np.sin(0.1), np.cos(0.1) * np.sin(0.2))  # the yaw goes first
    np.testing.assert_allclose(at(yaw=0.1, pitch=0.2), both)
    quarter = (-both[1], both[0])  # and the roll last
    np.testing.assert_allclose(at(yaw=0.1, pitch=0.2, roll=np.pi / 2), quarter)
    np.testing.assert_allclose(at(yaw=0.1, nearer=np.log(2), right=0.5, down=0.25), (0.5 - 2 * np.sin(0.1), 0.25))


def test_landmarks_turn_in_the_axes_of_their_own_face(face):
    still = np.stack([face, face + 5])
    np.testing.assert_allclose(head.turned(still, face, np.zeros((2, 6))), still, atol=1e-4)
    moved = head.turned(face[None], face, pose(right=0.5, down=1))[0] - face
    np.testing.assert_allclose(moved, np.broadcast_to((20 - 30, 15 + 40), (68, 2)), atol=1e-4)
    nose = head.turned(face[None], face, pose(yaw=0.1))[0, NOSE] - face[NOSE]
    depth = head.DEPTHS[NOSE] - head.PIVOT_DEPTH
    along = head.HeadAxes.of(face).enter(face)[NOSE, 0]
    assert depth < -1
    step = along * np.cos(0.1) + depth * np.sin(0.1) - along
    np.testing.assert_allclose(nose, step * np.array((40, 30)), atol=1e-4)


def test_eyes_at_one_point_have_no_axes(face):
    face[LEFT_EYE] = face[RIGHT_EYE]
    with pytest.raises(ValueRangeError, match="two eyes of a face are at one point"):
        head.HeadAxes.of(face)
