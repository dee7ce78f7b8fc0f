import numpy as np
import pytest

from backend_server.data.arkit_examples import opening, relative_to_rest, rest_scores
from shared.arkit import SHAPES

JAW = SHAPES.index("jawOpen")


def test_rest_becomes_0_and_1_stays_1():
    scores = np.array([[0.1], [0.2], [0.6], [1.0]], np.float32)
    assert relative_to_rest(scores, np.array([0.2], np.float32))[:, 0] == pytest.approx([0, 0, 0.5, 1])


def test_opening_is_how_far_lower_points_sink_from_upper_ones():
    motion = np.zeros((2, 68, 2), np.float32)
    motion[1, 66, 1], motion[1, 62, 1] = 0.2, -0.1
    assert opening(motion, [(62, 66)]) == pytest.approx([0, 0.3])
    assert opening(motion, [(61, 67), (62, 66)]) == pytest.approx([0, 0.15])


@pytest.fixture
def seen():
    """Thirty frames in which every pose has a score of its own: motion (30, 68, 2), scores (30, 52), silence (30,)."""
    motion, scores, is_silent = np.zeros((30, 68, 2), np.float32), np.zeros((30, 52), np.float32), np.zeros(30, bool)
    is_silent[:20] = True
    scores[:10, JAW] = 0.05  # silent, closed, awake
    motion[10:15, 65:68, 1], scores[10:15, JAW] = 0.1, 0.5  # waits with an open mouth
    motion[15:20, [37, 38, 43, 44], 1], scores[15:20, JAW] = 0.1, 0.7  # shuts the eyes
    scores[20:, JAW] = 0.9  # speaks
    return motion, scores, is_silent


def test_rest_is_where_nobody_speaks_with_closed_lips_and_open_eyes(seen):
    motion, scores, is_silent = seen
    assert rest_scores([motion], [scores], [is_silent])[JAW] == pytest.approx(0.05)
    split = [[part[:12], part[12:]] for part in seen]
    assert rest_scores(*split)[JAW] == pytest.approx(0.05)  # all clips of the person count together


def test_who_never_closes_the_lips_rests_where_they_are_nearest(seen):
    motion, scores, is_silent = seen
    motion[:, 65:68, 1] += np.linspace(0.3, 0.03, 30)[:, None]
    assert rest_scores([motion], [scores], [is_silent])[JAW] == pytest.approx(0.9)
