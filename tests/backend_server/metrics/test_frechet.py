import numpy as np
import pytest

from backend_server.metrics.frechet import frechet_distance
from shared.errors import ShapeError


def normal(mean, deviation, count=20_000, seed=0):
    return np.random.default_rng(seed).normal(mean, deviation, (count, len(mean)))


def test_the_same_are_not_apart():
    one = normal((0, 1, 2), (1, 2, 3))
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_means_and_deviations_count_by_their_squares():
    one, other = normal((0, 0), (1, 2)), normal((3, 0), (2, 2), seed=1)
    assert frechet_distance(one, other) == pytest.approx(9 + 1, rel=0.03)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other))


def test_stillness_is_as_far_away_as_the_motion_is_large():
    assert frechet_distance(normal((0, 0), (1, 2)), np.zeros((5, 2))) == pytest.approx(5, rel=0.03)


@pytest.mark.parametrize("other", [np.zeros((5, 3)), np.zeros((1, 2)), np.zeros(5)])
def test_samples_that_do_not_compare_are_refused(other):
    with pytest.raises(ShapeError):
        frechet_distance(np.zeros((4, 2)), other)
