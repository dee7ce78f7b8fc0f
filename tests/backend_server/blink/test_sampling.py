import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.blink import sampling
from backend_server.metrics.blink import find_blinks
from shared.errors import ShapeError, ValueRangeError


def ear(generator, displacements):
    return 0.3 * (1 - sampling.closing(displacements, generator.neutral_canonical.numpy()))


def test_closing_is_0_at_rest_and_1_shut(neutral, shutting):
    motion = np.stack([0 * shutting, shutting / 0.95, shutting / 1.9])
    assert sampling.closing(motion, neutral) == pytest.approx([0, 1, 0.5], abs=1e-5)


def test_a_block_is_cut_to_where_the_eyes_are_open():
    shut = np.zeros(20)
    shut[:2] = 0.5
    shut[17:] = 0.9
    assert sampling.open_span(shut) == slice(2, 17)
    assert sampling.open_span(np.ones(20)) == slice(0, 0)


def test_the_same_seed_gives_the_same_blinks_and_another_does_not(event_generator):
    times = np.arange(500) / 25
    first = sampling.blink_displacements(event_generator, times, seed=3)
    assert first.shape == (500, 22, 2)
    assert np.array_equal(first, sampling.blink_displacements(event_generator, times, seed=3))
    assert np.allclose(first, sampling.blink_displacements(event_generator, times + 7, seed=3), atol=1e-6)
    assert not np.array_equal(first, sampling.blink_displacements(event_generator, times, seed=4))
    assert np.array_equal(2 * first, sampling.blink_displacements(event_generator, times, seed=3, gain=2))


def test_a_long_clip_is_read_in_pieces_and_is_the_same(event_generator, monkeypatch):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.08, 2000))
    whole = sampling.blink_displacements(event_generator, times, seed=3)
    monkeypatch.setattr(sampling, "READ_FRAMES", 7)
    np.testing.assert_allclose(sampling.blink_displacements(event_generator, times, seed=3), whole, atol=1e-6)


@pytest.mark.parametrize("end", [1090, 1117, 1118, 1119, 1120, 1121, 1122, 1123, 1160, 2240, 3300])
def test_a_clip_blinks_as_the_beginning_of_a_longer_one(event_generator, end):
    times = np.arange(5000) / 25
    long = sampling.blink_displacements(event_generator, times, seed=3)
    short = sampling.blink_displacements(event_generator, times[:end], seed=3)
    same = end - 20  # before the last blink and the fade to it
    np.testing.assert_allclose(short[:same], long[:same], atol=1e-6)
    assert sampling.closing(short, event_generator.neutral_canonical.numpy())[-1] < sampling.OVER_DROP


@pytest.mark.parametrize("frames_per_second", [0.5, 25])
def test_memory_does_not_grow_with_the_clip(event_generator, frames_per_second):
    def peak_bytes(seconds: int) -> int:
        times = np.arange(round(seconds * frames_per_second)) / frames_per_second
        tracemalloc.start()
        motion = sampling.blink_displacements(event_generator, times, seed=3)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - motion.nbytes

    assert peak_bytes(800) < 1.2 * peak_bytes(200)


def test_what_the_end_of_a_clip_may_change_is_not_settled():
    begins, shut = np.arange(30.0), np.zeros(30)
    assert sampling.settled_count(begins, shut, 30) == 22  # frame 25 is the last with two more before the earliest end
    shut[20:29] = 0.2  # a blink since frame 20, the lids up in frame 19
    assert sampling.settled_count(begins, shut, 30) == 16
    assert sampling.settled_count(begins, np.ones(30), 30) == 0


def test_every_frame_rate_shows_the_same_motion(event_generator):
    coarse = sampling.blink_displacements(event_generator, np.arange(0, 500) / 25, seed=1)
    fine = sampling.blink_displacements(event_generator, np.arange(0, 1000) / 50, seed=1)
    assert np.allclose(fine[::2][:480], coarse[:480], atol=1e-5)
    ntsc = sampling.blink_displacements(event_generator, np.arange(600) * 1001 / 30000, seed=1)
    assert len(find_blinks(ear(event_generator, ntsc), 29.97).starts) == len(
        find_blinks(ear(event_generator, coarse), 25).starts
    )


def test_blinks_are_whole_over_a_long_clip(event_generator):
    motion = sampling.blink_displacements(event_generator, np.arange(25 * 200) / 25, seed=0)
    blinks = find_blinks(ear(event_generator, motion), 25)
    assert 0.15 < blinks.rate < 0.4
    assert np.nanmin(blinks.durations) >= 5 / 25
    assert np.abs(np.diff(motion, axis=0)).max() < 0.6 * np.abs(motion).max()  # no jump at a seam


@settings(max_examples=25, deadline=None)
@given(frames=st.integers(1, 150), seed=st.integers(0, 50))
def test_no_end_cuts_a_blink(frames, seed):
    shut = np.convolve(np.random.default_rng(seed).random(200) > 0.97, [0.4, 1, 0.8, 0.4])[:200].clip(0, 1)
    motion = shut[:frames, None, None] * np.ones((1, 22, 2), np.float32)
    result = sampling.without_last_blink(motion, shut[:frames])
    assert np.all(np.abs(result[-1]) < sampling.OPEN_DROP)
    is_open = np.flatnonzero(shut[: max(frames - sampling.MARGIN_FRAMES, 0)] < sampling.OPEN_DROP)
    kept = max(is_open[-1] - sampling.FADE_FRAMES, 0) if len(is_open) else 0
    assert np.array_equal(result[:kept], motion[:kept])
    assert frames not in find_blinks(1 - result[:, 0, 0], 25.0).ends


@pytest.mark.parametrize(
    ("frequency", "duration"), [(0.1, 1), (0.5, 1), (2, 1), (4, 1), (1, 0.25), (1, 4), (4, 0.25), (0.1, 4)]
)
def test_frequency_and_duration_hold_over_their_ranges(event_generator, frequency, duration):
    def measure(frequency=1.0, duration=1.0):
        times = np.arange(round(20_000 / frequency)) / 100
        motion = sampling.blink_displacements(event_generator, times, 0, frequency=frequency, duration=duration)
        shut = sampling.closing(motion, event_generator.neutral_canonical.numpy())
        count = sampling.blink_count(shut)
        return count / times[-1], (shut > sampling.SHUT_DROP).sum() / 100 / count

    rate, seconds = measure()
    changed_rate, changed_seconds = measure(frequency, duration)
    assert changed_rate == pytest.approx(frequency * rate, rel=0.15)
    assert changed_seconds == pytest.approx(duration * seconds, rel=0.1)


def test_frequency_and_duration_out_of_range_are_refused(event_generator):
    with pytest.raises(ValueRangeError, match="9"):
        sampling.blink_displacements(event_generator, np.arange(3.0), 0, frequency=9)
    with pytest.raises(ValueRangeError, match=r"0\.1"):
        sampling.blink_displacements(event_generator, np.arange(3.0), 0, duration=0.1)


def test_what_the_network_draws_too_fast_and_too_often_is_slowed_to_the_usual(event_generator):
    times = np.arange(25 * 200) / 25
    usual = sampling.blink_displacements(event_generator, times, 0, frequency=0.5, duration=2)
    config = dataclasses.replace(event_generator.config, drawn_per_second=0.66, drawn_seconds=0.17)
    event_generator.config = config  # wanted are 0.33 a second of 0.34 s
    assert np.array_equal(sampling.blink_displacements(event_generator, times, 0), usual)


def test_pieces_are_joined_where_the_eyes_are_open(event_generator):
    pieces = sampling.draw_pieces(event_generator, torch.Generator().manual_seed(0))
    neutral = event_generator.neutral_canonical.numpy()
    assert sum(len(piece) for piece in pieces) > 0.9 * sampling.BLOCKS * event_generator.config.frames
    for piece in pieces:
        shut = sampling.closing(piece, neutral)
        assert shut[[0, -1]] == pytest.approx(0, abs=1e-5)
        assert shut[: sampling.MARGIN_FRAMES].max() < 2 * sampling.OPEN_DROP
        assert shut[-sampling.MARGIN_FRAMES :].max() < 2 * sampling.OPEN_DROP


def test_frame_lengths_by_hand():
    shut = np.zeros(100)
    shut[50:54] = 1  # ten frames with the margin: a tenth of the time
    assert sampling.frame_lengths(shut, 1, 1) == pytest.approx(np.ones(100))
    slower = sampling.frame_lengths(shut, 0.5, 2)
    assert slower[47:57] == pytest.approx(2)
    assert slower.sum() == pytest.approx(200)  # the same blink in twice the time: half as often


def test_empty_and_unsorted_times(event_generator):
    assert sampling.blink_displacements(event_generator, np.zeros(0), seed=0).shape == (0, 22, 2)
    assert sampling.blink_displacements(event_generator, np.array([4.2]), seed=0).shape == (1, 22, 2)
    with pytest.raises(ShapeError):
        sampling.blink_displacements(event_generator, np.array([1.0, 0.5]), seed=0)


def test_blinks_are_counted_when_the_eyes_shut():
    assert sampling.blink_count(np.array([0, 0.2, 0.9, 0.9, 0.1, 0.6, 0.0, 0.4])) == 2


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_a_face_never_stares_while_it_has_blinks_left(counts):
    order = sampling.spread(counts)
    assert sorted(order) == list(range(len(counts)))
    assert counts[order[0]] == 1 or 1 not in counts
    ordered = [counts[number] for number in order]
    for place in range(2, len(ordered)):
        if ordered[place - 1] == ordered[place] == 0:
            assert not any(ordered[place:])
