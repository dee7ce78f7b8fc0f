import numpy as np
import pytest

from backend_server.cascade import Cascade
from backend_server.liveliness.head_pose import head_poses
from shared.head import DEPTHS, POSE, turned
from shared.landmarks import MIRROR

NOSE, CHIN = 30, 8


@pytest.fixture(scope="module")
def canonical():
    return Cascade.load("cpu").neutral_canonical


@pytest.fixture
def face(canonical):
    """A tilted face, in pixels."""
    angle = 0.2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (70 * canonical @ turn + (128, 140)).astype(np.float32)


def pose(**values):
    return np.array([[values.get(name, 0.0) for name in POSE]])


def test_a_head_that_is_not_turned_stays_where_it_is(canonical, face):
    np.testing.assert_allclose(turned(face[None], face, pose())[0], face, atol=1e-3)


def test_poses_are_read_again_from_what_they_turned(canonical, face):
    poses = np.random.default_rng(0).normal(0, (0.15, 0.1, 0.1, 0.1, 0.1, 0.03), (40, 6))
    moved = turned(np.repeat(face[None], 40, 0), face, poses)
    np.testing.assert_allclose(head_poses(moved, face), poses, atol=2e-3)


def test_the_names_of_the_angles_are_true(canonical):
    face = 100 * canonical.astype(np.float64)

    def moved(**values):
        return turned(face[None], face, pose(**values))[0] - face

    assert moved(yaw=0.1)[NOSE, 0] < moved(yaw=0.1)[0, 0]  # the nose goes to the person's right before the ear
    assert moved(pitch=0.1)[NOSE, 1] > 0  # down
    assert moved(roll=0.1)[CHIN, 0] < 0  # the crown goes to the picture's right, so the chin to its left
    np.testing.assert_allclose(moved(right=0.5, down=-0.25), np.broadcast_to((50, -25), (68, 2)), atol=1e-3)
    size = np.ptp(face + moved(nearer=np.log(1.1)), axis=0) / np.ptp(face, axis=0)
    np.testing.assert_allclose(size, 1.1, atol=1e-5)


def test_both_sides_of_a_face_are_as_deep():
    depths = np.array(DEPTHS)
    np.testing.assert_array_equal(depths, depths[MIRROR])
    assert depths[NOSE] == depths.min()
