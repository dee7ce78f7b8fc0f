import numpy as np
import pytest

from backend_server.evaluation.sync.scores import REACH, SyncFigures, similarity_curve, sync_figures
from shared.errors import ShapeError


def fitting(offset, moments=40, best=0.8, other=0.1):
    """Similarities of a film whose mouths fit the sounds of so many frames before."""
    return np.where(np.eye(moments, k=-offset) > 0, best, other)


@pytest.mark.parametrize("offset", [-15, -3, 0, 4, 15])
def test_the_offset_is_positive_when_the_face_is_late_and_the_confidence_stands_above_the_median(offset):
    curve = similarity_curve(fitting(offset))
    assert curve.shape == (31,)
    assert curve[REACH + offset] == pytest.approx(0.8)
    found = sync_figures(curve, offset)
    assert found.offset == offset
    assert found.found == 1
    assert found.confidence == pytest.approx(0.7)


def test_every_pair_at_an_offset_counts_the_same():
    similarities = np.zeros((16, 16))
    similarities[15, 0] = 0.5  # the only pair at 15 frames
    similarities[3:5, 0:2] = [[0.3, 0], [0, 0.1]]  # two of the thirteen at three
    curve = similarity_curve(similarities)
    assert curve[REACH + 15] == 0.5
    assert curve[REACH + 3] == pytest.approx(0.4 / 13)


def test_an_offset_is_found_within_one_frame_of_the_true_one():
    curve = similarity_curve(fitting(4))
    assert [sync_figures(curve, true).found for true in (2, 3, 4, 5, 6)] == [0, 1, 1, 1, 0]


def test_what_all_offsets_share_changes_neither_offset_nor_confidence():
    random = np.random.default_rng(0)
    similarities = random.uniform(-0.2, 0.2, (60, 60)) + fitting(-2, 60)
    plain, lifted = (sync_figures(similarity_curve(similarities + more)) for more in (0, 0.3))
    assert lifted.offset == plain.offset == -2
    assert lifted.confidence == pytest.approx(plain.confidence)


def test_swapping_mouths_and_sounds_turns_the_offset_round():
    similarities = np.random.default_rng(1).uniform(-1, 1, (50, 50))
    np.testing.assert_allclose(similarity_curve(similarities.T), similarity_curve(similarities)[::-1])


def test_a_film_that_tells_nothing_has_no_confidence():
    assert sync_figures(np.full(31, 0.4)) == SyncFigures(-15, 0, 0)


def test_a_film_too_short_for_the_largest_offset_is_refused():
    similarity_curve(fitting(0, 16))
    with pytest.raises(ShapeError, match="more than 15 judged moments, got 15"):
        similarity_curve(fitting(0, 15))
