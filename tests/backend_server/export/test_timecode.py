"""Timecodes worked out by hand, at every rate that has them."""

import numpy as np
import pytest

from backend_server.export.timecode import timecode_seconds, timecodes
from shared.errors import ValueRangeError
from shared.timing import FrameRate

# Frame 1799 is the last of the first minute at 30; drop-frame goes on with :02, and ten minutes have 17982 frames.
BY_HAND = [
    (23.976, 25, "00:00:01:01.000"),
    (23.976, 86_400, "01:00:00:00.000"),  # 3603.6 s of the clock: there is no drop-frame at this rate
    (24, 23, "00:00:00:23.000"),
    (24, 24, "00:00:01:00.000"),
    (25, 1500, "00:01:00:00.000"),
    (25, 90_024, "01:00:00:24.000"),
    (29.97, 1799, "00:00:59:29.000"),
    (29.97, 1800, "00:01:00:02.000"),
    (29.97, 17_981, "00:09:59:29.000"),
    (29.97, 17_982, "00:10:00:00.000"),
    (29.97, 107_892, "01:00:00:00.000"),
    (30, 1800, "00:01:00:00.000"),
    (59.94, 3600, "00:01:00:04.000"),
    (60, 61.25, "00:00:01:01.250"),
    (60, 60 * 86_400, "00:00:00:00.000"),  # a day later
]


@pytest.mark.parametrize(("rate", "frame", "expected"), BY_HAND)
def test_timecodes_by_hand(rate, frame, expected):
    rate = FrameRate.from_decimal(rate)
    assert timecodes(rate.seconds(np.array([frame])), rate) == [expected]


# One frame at 23.976 is 60 x 1001 / 24000 = 2.5025 sixtieths, one at 29.97 is 2.002.
@pytest.mark.parametrize(
    ("rate", "frame", "expected"),
    [
        (23.976, 2, "00:00:00:05.005"),
        (24, 1, "00:00:00:02.500"),
        (25, 1, "00:00:00:02.400"),
        (25, 24, "00:00:00:57.600"),
        (29.97, 1, "00:00:00:02.002"),
        (29.97, 30, "00:00:01:00.060"),
        (30, 31, "00:00:01:02.000"),
        (60, 3599, "00:00:59:59.000"),
    ],
)
def test_frames_of_any_rate_counted_in_sixtieths_by_hand(rate, frame, expected):
    seconds = FrameRate.from_decimal(rate).seconds(np.array([frame]))
    assert timecodes(seconds, FrameRate(60)) == [expected]


@pytest.mark.parametrize("rate", [23.976, 24, 25, 29.97, 30, 50, 59.94, 60])
def test_two_hours_of_frames_have_different_timecodes_that_are_read_back(rate):
    rate = FrameRate.from_decimal(rate)
    frames = np.arange(0, 7200 * rate.frames_per_second, 7)
    texts = timecodes(rate.seconds(frames), rate)
    assert len(set(texts)) == len(frames)
    assert sorted(texts) == texts
    np.testing.assert_allclose(rate.frames(timecode_seconds(texts, rate)), frames, atol=1e-6)


def test_a_fraction_that_rounds_up_carries_into_the_next_second():
    assert timecodes(np.array([1 - 1e-6]), FrameRate(25)) == ["00:00:01:00.000"]


@pytest.mark.parametrize("text", ["00:01:00:00.000", "00:01:00:01.500", "00:00:00:30", "00:60:00:00", "1:00:00:00", ""])
def test_what_is_no_timecode_is_refused_with_an_example(text):
    with pytest.raises(
        ValueRangeError, match=rf'^"{text}" is no timecode at 29\.97 .*for instance 00:01:01:15\.\d{{3}}$'
    ):
        timecode_seconds([text], FrameRate(30, 1.001))


def test_a_rate_without_timecode_and_times_before_0_are_refused():
    with pytest.raises(ValueRangeError, match=r"12\.5 frames per second are none; set 23\.976, 24"):
        timecodes(np.zeros(1), FrameRate.from_decimal(12.5))
    with pytest.raises(ValueRangeError, match=r"begins at 0 s, and -0\.5 s are given"):
        timecodes(np.array([-0.5]), FrameRate(25))
