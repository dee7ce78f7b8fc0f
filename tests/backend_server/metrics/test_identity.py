import numpy as np
import pytest

from backend_server.metrics.identity import average_content_distance, identity_distance
from shared.errors import ShapeError


class MeanColour:
    """An embedding that tells people apart by the mean colour of their pictures."""

    def __call__(self, pictures, landmarks):
        return pictures.mean(axis=(1, 2))


def test_content_distance_by_hand():
    right, up = [1.0, 0.0], [0.0, 3.0]  # of different lengths: only the direction counts
    assert average_content_distance(np.array([right, right, right])) == 0
    assert average_content_distance(np.array([right, up])) == pytest.approx(np.sqrt(2))
    assert average_content_distance(np.array([right, right, up])) == pytest.approx(np.sqrt(2) * 2 / 3)
    assert np.isnan(average_content_distance(np.array([right])))


def test_identity_distance_by_hand():
    real = np.array([[1.0, 0.0], [0.0, 2.0]])
    assert identity_distance(5 * real, real) == 0
    assert identity_distance(-real, real) == pytest.approx(2)
    assert identity_distance(real[[0, 0]], real) == pytest.approx(np.sqrt(2) / 2)
    assert np.isnan(identity_distance(real[:0], real[:0]))


def test_distance_grows_with_the_change_of_a_face():
    pictures = np.full((6, 8, 8, 3), (120, 90, 80), np.uint8)
    tinted = [pictures.copy() for _ in range(3)]
    for strength, video in zip((10, 30, 90), tinted, strict=True):
        video[::2, ..., 2] += np.uint8(strength)
    embed, landmarks = MeanColour(), np.zeros((6, 68, 2))
    real = embed(pictures, landmarks)
    for measure in (average_content_distance, lambda made: identity_distance(made, real)):
        distances = [measure(embed(video, landmarks)) for video in (pictures, *tinted)]
        assert distances[0] == pytest.approx(0)
        assert distances == sorted(distances)
        assert distances[1] < distances[2] < distances[3]


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"\(3, 4, 5\)"):
        average_content_distance(np.zeros((3, 4, 5)))
    with pytest.raises(ShapeError, match=r"\(3, 5\)"):
        identity_distance(np.zeros((3, 4)), np.zeros((3, 5)))
