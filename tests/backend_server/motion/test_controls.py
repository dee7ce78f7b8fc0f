import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.motion.controls import CLOSED_GAP, LOWER_LIP, UPPER_LIP, lip_gap, shaped, smoothed
from shared.motion_controls import UNTOUCHED, MotionControls

NEUTRAL = np.zeros((68, 2), np.float32)
NEUTRAL[UPPER_LIP, 1], NEUTRAL[LOWER_LIP, 1] = 0.5, 0.502
quiet = settings(deadline=None, max_examples=40)
motions = st.integers(0, 2**32 - 1).map(lambda seed: random_motion(np.random.default_rng(seed)))


def random_motion(random):
    """Displacements of 2 to 80 frames at uneven times; the lips open and now and then close."""
    count = int(random.integers(2, 80))
    times = np.cumsum(random.uniform(0.002, 0.08, count))
    motion = random.normal(0, 0.05, (count, 68, 2)).astype(np.float32)
    is_open = random.random(count) < 0.7
    motion[:, LOWER_LIP, 1] = motion[:, UPPER_LIP, 1] + is_open * random.uniform(0, 0.2, count)
    return motion, times


def gaps(motion):
    return lip_gap(NEUTRAL + motion)


@quiet
@given(motions)
def test_the_defaults_change_nothing(made):
    motion, times = made
    np.testing.assert_array_equal(shaped(smoothed(motion, times, NEUTRAL, 0.0), None, UNTOUCHED), motion)


@quiet
@given(motions, st.floats(0.001, 0.2))
def test_smoothing_keeps_what_does_not_move(made, seconds):
    motion, times = made
    still = np.repeat(motion[:1], len(times), axis=0)
    np.testing.assert_allclose(smoothed(still, times, NEUTRAL, seconds), still, rtol=1e-6)


@quiet
@given(motions, st.floats(0.001, 0.2))
def test_smoothing_keeps_every_closure_and_opens_no_wider_than_the_motion_did(made, seconds):
    motion, times = made
    even = smoothed(motion, times, NEUTRAL, seconds)
    closed = gaps(motion) <= CLOSED_GAP
    assert (gaps(even)[closed] <= CLOSED_GAP + 1e-6).all()
    assert gaps(even).max() <= gaps(motion).max() + 1e-6


def test_smoothing_has_no_delay_and_the_width_that_was_asked_for():
    times = np.concatenate([np.arange(50) / 60, 50 / 60 + np.arange(100) / 240])  # two frame rates in one clip
    motion = np.zeros((len(times), 68, 2), np.float32)
    motion[:, 8, 1] = np.sin(2 * np.pi * 3 * times)
    even = smoothed(motion, times, NEUTRAL, 0.03)
    inside = (times > 0.13) & (times < times[-1] - 0.13)
    share = np.exp(-0.5 * (2 * np.pi * 3 * 0.03) ** 2)  # the Gaussian's response at 3 Hz
    np.testing.assert_allclose(even[inside, 8, 1], share * motion[inside, 8, 1], atol=0.02)


def test_smoothing_does_not_depend_on_the_blocks_it_is_done_in(monkeypatch):
    motion, times = random_motion(np.random.default_rng(3))
    whole = smoothed(motion, times, NEUTRAL, 0.05)
    monkeypatch.setattr("backend_server.motion.controls.BLOCK_FRAMES", 7)
    np.testing.assert_allclose(smoothed(motion, times, NEUTRAL, 0.05), whole, atol=1e-7)


def test_a_long_closure_is_evened_out_too():
    times = np.arange(100) / 25
    motion = np.zeros((100, 68, 2), np.float32)
    motion[:, LOWER_LIP, 1] = np.random.default_rng(0).uniform(-0.002, 0.002, 100)
    assert np.abs(np.diff(gaps(smoothed(motion, times, NEUTRAL, 0.05)))).mean() < 0.0005


@quiet
@given(motions, st.floats(0, 1))
def test_silence_rests_where_nobody_speaks_and_nowhere_else(made, silence):
    motion, times = made
    presence = (np.arange(len(times)) % 2).astype(np.float32)
    calm = shaped(motion, presence, MotionControls(silence=silence))
    np.testing.assert_array_equal(calm[1::2], motion[1::2])
    np.testing.assert_allclose(calm[::2], (1 - silence) * motion[::2], atol=1e-6)


@quiet
@given(motions)
def test_no_intensity_is_the_neutral_face(made):
    assert not shaped(made[0], None, MotionControls(intensity=0.0)).any()


@pytest.mark.parametrize("count", [0, 1])
def test_clips_without_neighbours_pass_through(count):
    motion = np.ones((count, 68, 2), np.float32)
    np.testing.assert_array_equal(smoothed(motion, np.arange(count) / 25, NEUTRAL, 0.1), motion)
