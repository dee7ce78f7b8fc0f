import numpy as np
import pytest

from backend_server.evaluation.redetection import redetect, redetected_distance
from backend_server.face.mesh_points import landmarks_of_mesh
from shared.errors import ShapeError

MESHES = np.random.default_rng(0).uniform(60, 200, (4, 478, 3)).astype(np.float32)
DRIVING = np.stack([landmarks_of_mesh(mesh) for mesh in MESHES])


class ShiftingFinder:
    """Reads a frame's number from its first pixel; sees its mesh shifted by (3, 4), but none in frames 1 and 2."""

    def __init__(self) -> None:
        self.seen = [99]  # the last frame of another video

    def find(self, image):
        self.seen.append(int(image[0, 0, 0]))
        return None if self.seen[-1] in (1, 2) else MESHES[self.seen[-1]] + np.float32([3, 4, 0])

    def forget(self):
        self.seen.clear()


def frames(count):
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 3), np.uint8)


def test_frames_without_a_face_do_not_count():
    finder = ShiftingFinder()
    found = redetect(finder, frames(4))
    assert finder.seen == [0, 1, 2, 3]
    assert found.shape == (4, 68, 2)
    assert np.isnan(found[:, 0, 0]).tolist() == [False, True, True, False]
    assert redetected_distance(found, DRIVING) == pytest.approx(5)
    assert np.isnan(redetected_distance(found[1:3], DRIVING[1:3]))


def test_only_the_lips_count():
    found = DRIVING.copy()
    found[:, :48] += 50
    assert redetected_distance(found, DRIVING) == 0
    found[:, 60] += (6, 8)  # one of twenty points by 10 pixels
    assert redetected_distance(found, DRIVING) == pytest.approx(0.5, rel=1e-5)


def test_other_lengths_are_refused():
    with pytest.raises(ShapeError):
        redetected_distance(DRIVING, DRIVING[:3])
