import numpy as np
import pytest

from backend_server.metrics.blink import blink_statistics, find_blinks, relative_drop


def curve_with_blinks(starts, length=150, frames=8, open_eye=0.3):
    """An eye at 0.3 that falls to 0.03 and rises again within `frames` frames after each start."""
    ear = np.full(length, open_eye)
    shape = 0.9 * np.sin(np.pi * (np.arange(frames) + 0.5) / frames)
    for start in starts:
        ear[start : start + frames] *= 1 - shape
    return ear


def test_blinks_are_found_where_they_are():
    ear = curve_with_blinks([20, 70, 100])
    ear += 0.003 * np.random.default_rng(0).standard_normal(150)
    blinks = find_blinks(ear, 25.0)
    assert blinks.starts.tolist() == [20, 70, 100]
    assert blinks.ends.tolist() == [28, 78, 108]
    assert blinks.durations == pytest.approx(8 / 25)
    assert blinks.rate == pytest.approx(0.5)
    assert np.all(blinks.depths > 0.8)


def test_a_slow_drift_and_a_squint_are_no_blinks():
    drift = 0.3 + 0.05 * np.sin(np.arange(300) / 60)
    assert len(find_blinks(drift, 25.0).starts) == 0
    shut = curve_with_blinks([], length=300)
    shut[100:140] = 0.05  # 1.6 s
    assert len(find_blinks(shut, 25.0).starts) == 0


def test_a_blink_cut_by_the_end_counts_but_has_no_duration():
    ear = curve_with_blinks([40, 146], length=154)[:150]
    blinks = find_blinks(ear, 25.0)
    assert len(blinks.starts) == 2
    assert np.isnan(blinks.durations).tolist() == [False, True]


def test_drop_ignores_the_scale_of_the_eye():
    ear = curve_with_blinks([30])
    assert relative_drop(ear, 25.0) == pytest.approx(relative_drop(2 * ear, 25.0))


def test_statistics_over_clips():
    stats = blink_statistics(
        [curve_with_blinks([20, 70]), curve_with_blinks([90], frames=10), curve_with_blinks([])], 25.0
    )
    assert stats.count == 3
    assert stats.rate == pytest.approx(3 / 18)
    assert stats.duration == pytest.approx((8 + 8 + 10) / 3 / 25)
    assert stats.histogram[8] == 2
    assert stats.histogram[10] == 1
    assert stats.duration_shares[[7, 8, 10]] == pytest.approx([0, 2 / 3, 1 / 3])
    assert not blink_statistics([], 25.0).duration_shares.any()
    assert np.isnan(blink_statistics([], 25.0).duration)
