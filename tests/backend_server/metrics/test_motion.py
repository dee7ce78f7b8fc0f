import numpy as np
import pytest

from backend_server.metrics.motion import ALL_POINTS, mean_figures, motion_figures


@pytest.fixture
def talking():
    """Thirty frames of a face whose mouth opens and closes."""
    face = np.zeros((30, 68, 2))
    face[:, 45, 0] = 1.0  # outer eye corners one unit apart
    face[:, 48, 0], face[:, 54, 0] = 0.3, 0.7
    face[:, 66, 1] = 0.1 + 0.1 * np.sin(np.arange(30))
    face[:, 54, 0] += 0.05 * np.cos(np.arange(30))
    return face


def test_a_perfect_motion(talking):
    figures = motion_figures(talking, talking)
    assert (figures.opening_correlation, figures.width_correlation) == (pytest.approx(1), pytest.approx(1))
    assert (figures.lips_lmd, figures.all_lmd, figures.velocity_error, figures.offset_frames) == (0, 0, 0, 0)
    assert (figures.opening_amplitude, figures.closure_recall) == (pytest.approx(1), 1)


def test_a_still_face_by_hand(talking):
    figures = motion_figures(np.repeat(talking[:1], 30, axis=0), talking)
    assert (figures.opening_correlation, figures.opening_amplitude) == (0, pytest.approx(0))
    off = np.abs(talking[:, 66, 1] - 0.1).mean() + np.abs(talking[:, 54, 0] - talking[0, 54, 0]).mean()
    assert figures.lips_lmd == pytest.approx(off / 20)
    assert figures.all_lmd == pytest.approx(off / len(range(68)[ALL_POINTS]))


def test_a_figure_that_a_clip_lacks_does_not_count_for_the_mean(talking):
    never_closed = talking + 0.0
    never_closed[:, 66, 1] += 1
    figures = [motion_figures(talking, real) for real in (talking, never_closed)]
    assert np.isnan(figures[1].closure_recall)
    assert mean_figures(figures).closure_recall == 1
    assert "lips lmd" in mean_figures(figures).sentence()
