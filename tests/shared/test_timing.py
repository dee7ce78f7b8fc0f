import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ValueRangeError
from shared.timing import FrameRate, StripPlacement, frame_times, sample_index, sample_seconds, strip_frames

BASE_1001 = float(np.float32(1.001))  # what Blender gives
RATES = {
    "23.976": (FrameRate(24, BASE_1001), Fraction(24000, 1001)),
    "24": (FrameRate(24), Fraction(24)),
    "25": (FrameRate(25), Fraction(25)),
    "29.97": (FrameRate(30, BASE_1001), Fraction(30000, 1001)),
    "30": (FrameRate(30), Fraction(30)),
    "60": (FrameRate(60), Fraction(60)),
    "5": (FrameRate(5), Fraction(5)),
}
rates = st.sampled_from([rate for rate, _ in RATES.values()])


@pytest.mark.parametrize(("rate", "exact"), RATES.values(), ids=RATES)
def test_frame_rate_is_the_fraction_that_people_mean(rate, exact):
    assert rate.exact == exact


@pytest.mark.parametrize(
    ("decimal", "exact"),
    [(23.976, Fraction(24000, 1001)), (29.97, Fraction(30000, 1001)), (25, Fraction(25)), (12.5, Fraction(25, 2))],
)
def test_decimal_frame_rates(decimal, exact):
    assert FrameRate.from_decimal(decimal).exact == exact


def test_odd_fps_base_is_kept():
    base = math.sqrt(1.1)
    assert FrameRate(30, base).exact == 30 / Fraction(base)


@pytest.mark.parametrize(("fps", "base"), [(0, 1.0), (24, 0.0), (24, -1.0), (24, math.nan), (2000, 1.0)])
def test_impossible_frame_rates_are_named(fps, base):
    with pytest.raises(ValueRangeError, match=r"frame rate|frames per second"):
        FrameRate(fps, base)


@pytest.mark.parametrize(("rate", "exact"), RATES.values(), ids=RATES)
def test_no_drift_over_an_hour(rate, exact):
    hour = frame_times(3600.0, rate)
    assert len(hour) == math.ceil(3600 * exact)
    frames = np.arange(len(hour))
    expected = [float(Fraction(int(i)) / exact) for i in frames[:: max(1, len(frames) // 500)]]
    np.testing.assert_array_equal(hour[:: max(1, len(frames) // 500)], expected)
    np.testing.assert_allclose(rate.frames(hour), frames, rtol=0, atol=1e-9)


def test_headless_frame_count_by_hand():
    assert len(frame_times(3.0, FrameRate(25))) == 75
    assert len(frame_times(0.28, FrameRate(25))) == 7  # 0.28 x 25 = 7.000000000000001 in floats
    assert len(frame_times(3.001, FrameRate(25))) == 76
    assert len(frame_times(0.001, FrameRate(24))) == 1
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueRangeError, match="sound of"):
            frame_times(bad, FrameRate(25))


def test_strip_by_hand():
    # Content from frame 11 at 25/s, trimmed to frames 21 .. 24, the sound 0.1 s into the container.
    strip = strip_frames(FrameRate(25), StripPlacement(11, 21, 25, sound_offset_seconds=0.1))
    assert strip.scene_frames.tolist() == [21, 22, 23, 24]
    np.testing.assert_allclose(strip.frame_times, [0.3, 0.34, 0.38, 0.42], atol=1e-15)
    double = strip_frames(FrameRate(25), StripPlacement(11, 21, 25, speed=2.0))
    np.testing.assert_allclose(double.frame_times, [0.8, 0.88, 0.96, 1.04], atol=1e-15)


def test_strip_with_fractions_and_before_the_sound():
    strip = strip_frames(FrameRate(24, BASE_1001), StripPlacement(-2.5, -4, 2))
    assert strip.scene_frames.tolist() == [-4, -3, -2, -1, 0, 1]
    np.testing.assert_allclose(strip.frame_times[0], -1.5 * 1001 / 24000)
    assert strip_frames(FrameRate(25), StripPlacement(0, 0.5, 3.5)).scene_frames.tolist() == [1, 2, 3]


@given(
    rate=rates,
    start=st.floats(-1e5, 1e5, width=32),
    trim=st.integers(0, 500),
    length=st.integers(1, 2000),
    offset=st.floats(-2, 2),
)
def test_strip_times_invert_exactly(rate, start, trim, length, offset):
    left = math.ceil(start) + trim
    strip = strip_frames(rate, StripPlacement(start, left, left + length, offset))
    assert len(strip.scene_frames) == len(strip.frame_times) == length
    assert strip.scene_frames[0] == left
    back = rate.frames(strip.frame_times + offset) + start
    np.testing.assert_allclose(back, strip.scene_frames, rtol=0, atol=1e-6)
    untrimmed = strip_frames(rate, StripPlacement(start, left - trim, left + length, offset))
    np.testing.assert_array_equal(untrimmed.frame_times[trim:], strip.frame_times)


@pytest.mark.parametrize(
    ("strip", "sentence"),
    [
        (StripPlacement(0, 5, 5), "shows no frame"),
        (StripPlacement(0, 0, 5, speed=0), "speed of 0"),
        (StripPlacement(math.nan, 0, 5), "not finite"),
    ],
)
def test_impossible_strips_are_named(strip, sentence):
    with pytest.raises(ValueRangeError, match=sentence):
        strip_frames(FrameRate(25), strip)


@given(index=st.integers(0, 2**40), sample_rate=st.integers(8_000, 192_000))
def test_samples_and_seconds_invert(index, sample_rate):
    assert sample_index(sample_seconds(index, sample_rate), sample_rate) == index
