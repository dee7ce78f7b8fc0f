"""Motion read between features, at any frame rate, the same however the sound came."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend_server.config import PAPER_MOTION, MotionConfig
from backend_server.motion import sequence
from backend_server.motion.generator import MotionGenerator
from backend_server.motion.sequence import motion_at, read_at
from shared.errors import ShapeError

SMALL = {"channels": 3, "features_per_second": 50.0, "encoder_channels": (4,), "width": 8, "hidden_size": 8}
SHIPPED, OVER_TIME, PAPER = (
    replace(config, **SMALL) for config in (MotionConfig(), MotionConfig(context=0), PAPER_MOTION)
)
kinds = pytest.mark.parametrize("config", [SHIPPED, OVER_TIME, PAPER], ids=["shipped", "over time", "paper"])


def generator_of(config: MotionConfig) -> MotionGenerator:
    torch.manual_seed(0)
    return MotionGenerator(config).eval()


def features_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 3)).astype(np.float32)


@torch.no_grad()
def moved(generator: MotionGenerator, blocks: list[np.ndarray], times: np.ndarray) -> np.ndarray:
    parts = list(motion_at(generator, blocks, times))
    assert all(len(part) for part in parts[:-1])
    return np.concatenate(parts)


@given(st.floats(10.0, 120.0), st.floats(0.0, 1.0))
def test_a_straight_motion_is_read_exactly_at_any_frame_rate(rate: float, start: float):
    ramp = torch.arange(150.0)[None, :, None, None].expand(1, 150, 68, 2)
    positions = torch.from_numpy(50.0 * (start + np.arange(20) / rate))[None]
    read = read_at(ramp, positions)
    torch.testing.assert_close(read, positions[..., None, None].expand(1, 20, 68, 2).float(), atol=1e-4, rtol=1e-5)


def test_by_hand_between_two_rows_and_beyond_the_ends():
    rows = torch.tensor([0.0, 10.0, 30.0])[None, :, None, None].expand(1, 3, 68, 2)
    read = read_at(rows, torch.tensor([[-4.0, 0.25, 1.0, 1.5, 2.0, 9.0]]))
    assert read[0, :, 5, 1].tolist() == [0.0, 2.5, 10.0, 20.0, 30.0, 30.0]
    assert read_at(rows[:, :1], torch.tensor([[0.0, 3.0]]))[0, :, 0, 0].tolist() == [0.0, 0.0]


@kinds
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.lists(st.floats(0.001, 0.7), max_size=40),
    st.floats(-0.5, 2.0),
)
def test_features_that_come_in_blocks_move_the_face_alike(config, lengths: list[int], gaps: list[float], start: float):
    generator, features = generator_of(config), features_of(sum(lengths))
    times = start + np.cumsum([0.0, *gaps])
    pieces = moved(generator, np.split(features, np.cumsum(lengths)[:-1]), times)
    assert pieces.shape == (len(times), 68, 2)
    np.testing.assert_allclose(pieces, moved(generator, [features], times), atol=1e-5)


@kinds
def test_a_frame_is_moved_by_the_sound_around_it_alone(config):
    generator, features = generator_of(config), features_of(200)
    times = np.arange(200) / 50.0
    plain = moved(generator, [features], times)
    features[100] += 5.0
    changed = np.flatnonzero(np.abs(moved(generator, [features], times) - plain).max((1, 2)) > 1e-6)
    assert changed[0] >= 100 - generator.after
    assert changed[-1] <= 100 + generator.before
    assert {99, 100, 101} <= set(changed)


@pytest.mark.parametrize("context", [MotionConfig().context, 0])
def test_no_more_than_a_fifth_of_a_second_of_what_comes_is_needed(context: int):
    generator = generator_of(MotionConfig(context=context))
    assert generator.after / generator.config.features_per_second < 0.2


def test_long_blocks_are_heard_in_parts_and_nothing_is_heard_in_vain(monkeypatch: pytest.MonkeyPatch):
    generator, heard, sizes = generator_of(SHIPPED), [], []
    monkeypatch.setattr(sequence, "BLOCK_FEATURES", 64)
    generator.register_forward_pre_hook(lambda _, arguments: sizes.append(arguments[0].shape[1]))

    def blocks():
        for number in range(4):
            heard.append(number)
            yield features_of(100)

    with torch.no_grad():
        made = np.concatenate(list(motion_at(generator, blocks(), np.arange(30) / 25)))
    assert len(made) == 30
    assert heard == [0]  # 1.2 s of 2
    assert max(sizes) <= 64 + generator.before + generator.after


def test_no_frames_and_no_features():
    generator = generator_of(SHIPPED)
    assert list(motion_at(generator, [features_of(50)], np.zeros(0))) == []
    with pytest.raises(ShapeError, match="got none"):
        moved(generator, [], np.zeros(1))
