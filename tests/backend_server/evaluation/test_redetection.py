import numpy as np
import pytest

from backend_server.evaluation.redetection import redetect, redetected_distance
from backend_server.face.detector import Face
from shared.errors import FaceError, NoFaceError, ShapeError

DRIVING = np.random.default_rng(0).uniform(60, 200, (4, 68, 2)).astype(np.float32)


class ShiftingFinder:
    """Reads a frame's number from its first pixel; sees its driving landmarks shifted by (3, 4)."""

    def detect(self, image):
        number = int(image[0, 0, 0])
        if number == 1:
            raise NoFaceError("none")
        if number == 2:
            raise FaceError("in profile")
        return Face(DRIVING[number] + (3, 4), 1, 0.0)


def frames(count):
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 3), np.uint8)


def test_frames_without_a_usable_face_do_not_count():
    found = redetect(ShiftingFinder(), frames(4))
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
