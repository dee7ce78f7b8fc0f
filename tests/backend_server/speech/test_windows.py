"""Windows of features: exact interpolation at any frame rate, and edges that stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_server.speech import windows
from backend_server.speech.windows import feature_windows, window_blocks, window_offsets
from shared.errors import ShapeError


def ramp(count: int) -> np.ndarray:
    """Channel 0 is the time in seconds at 50 scores a second, channel 1 its negative."""
    seconds = np.arange(count, dtype=np.float32) / 50.0
    return np.stack([seconds, -seconds], axis=1)


def test_offsets_are_six_samples_33_ms_apart_centred_on_the_frame():
    np.testing.assert_allclose(window_offsets(6), [-0.0825, -0.0495, -0.0165, 0.0165, 0.0495, 0.0825])


def test_by_hand_between_two_scores():
    scores = np.array([[0.0], [10.0], [30.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0]], np.float32)
    window = feature_windows(scores, 50.0, np.array([0.0165]))
    # moments -0.066 -0.033 0 0.033 0.066 0.099 s are positions -3.3 -1.65 0 1.65 3.3 4.95
    np.testing.assert_allclose(window[0, :, 0], [0.0, 0.0, 0.0, 10 + 0.65 * 20, 0.0, 0.0], atol=1e-4)


@given(st.floats(10.0, 120.0), st.floats(0.1, 1.0))
def test_a_linear_score_is_read_exactly_at_any_frame_rate(fps: float, start: float):
    times = start + np.arange(20) / fps
    windows = feature_windows(ramp(200), 50.0, times)
    np.testing.assert_allclose(windows[..., 0], times[:, None] + window_offsets(6), atol=1e-5)
    np.testing.assert_allclose(windows[..., 1], -windows[..., 0], atol=1e-6)


def test_edges_are_clamped_to_the_first_and_last_score():
    windows = feature_windows(ramp(10), 50.0, np.array([-5.0, 5.0]))
    assert np.all(windows[0, :, 0] == 0.0)
    np.testing.assert_allclose(windows[1, :, 0], 0.18)


def test_a_wider_window_holds_the_narrow_one():
    times = np.array([0.5, 1.0])
    wide, narrow = feature_windows(ramp(100), 50.0, times, 10), feature_windows(ramp(100), 50.0, times, 6)
    np.testing.assert_allclose(wide[:, 2:-2], narrow, atol=1e-6)


def test_one_score_and_no_frames():
    assert feature_windows(np.ones((1, 29), np.float32), 50.0, np.array([0.0, 1.0])).shape == (2, 6, 29)
    assert feature_windows(ramp(5), 50.0, np.zeros(0)).shape == (0, 6, 2)


@given(st.integers(1, 30), st.floats(0.5, 100.0), st.lists(st.floats(-2.0, 4.0), max_size=5))
def test_windows_stay_within_the_range_of_the_scores(count: int, rate: float, times: list[float]):
    scores = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    windows = feature_windows(scores, rate, np.array(times, np.float64))
    assert windows.shape == (len(times), 6, 3)
    assert windows.dtype == np.float32
    assert np.all(windows <= scores.max(0) + 1e-6)
    assert np.all(windows >= scores.min(0) - 1e-6)


def test_no_scores_are_refused():
    with pytest.raises(ShapeError, match=r"\(0, 29\)"):
        feature_windows(np.zeros((0, 29), np.float32), 50.0, np.zeros(1))


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.lists(st.floats(0.001, 0.7), max_size=40),
    st.floats(-0.5, 2.0),
    st.sampled_from([1, 4, 6]),
)
def test_features_that_come_in_blocks_give_the_same_windows(lengths: list[int], gaps: list[float], start, context: int):
    features = np.random.default_rng(0).standard_normal((sum(lengths), 3)).astype(np.float32)
    blocks = np.split(features, np.cumsum(lengths)[:-1])
    times = start + np.cumsum([0.0, *gaps])
    whole = feature_windows(features, 50.0, times, context)
    pieces = list(window_blocks(blocks, 50.0, times, context))
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_windows_are_made_some_at_a_time_and_nothing_is_heard_in_vain(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "BLOCK_FRAMES", 10)
    heard = []

    def blocks():
        for number in range(10):
            heard.append(number)
            yield ramp(50)

    made = list(window_blocks(blocks(), 50.0, np.arange(25) / 25))
    assert [len(part) for part in made] == [10, 10, 3, 2]  # the last two see into the second block
    assert heard == [0, 1]
