import numpy as np
import pytest

from backend_server.metrics.flicker import flicker, still_pixels, temporal_deviation
from shared.errors import ShapeError

EVERYWHERE = np.ones((4, 5), bool)


def video(levels: list[int]) -> np.ndarray:
    """Grey frames (T, 4, 5, 3), each of one level."""
    return np.tile(np.array(levels, np.uint8)[:, None, None, None], (1, 4, 5, 3))


def test_a_blinking_light_by_hand():
    frames = video([100, 110, 100, 110])
    assert temporal_deviation(frames, EVERYWHERE) == pytest.approx(5)
    assert flicker(frames, EVERYWHERE) == pytest.approx(10)
    assert flicker(frames[..., 0], EVERYWHERE) == pytest.approx(10)


def test_a_drift_deviates_more_than_it_flickers():
    frames = video(list(range(0, 200, 2)))
    assert flicker(frames, EVERYWHERE) == pytest.approx(2)
    assert temporal_deviation(frames, EVERYWHERE) == pytest.approx(2 * np.sqrt((100**2 - 1) / 12))


def test_noise_has_its_own_deviation():
    noise = np.random.default_rng(0).normal(128, 6, (400, 4, 5)).round().astype(np.uint8)
    assert temporal_deviation(noise, EVERYWHERE) == pytest.approx(6, rel=0.03)
    assert flicker(noise, EVERYWHERE) == pytest.approx(6 * 2 / np.sqrt(np.pi), rel=0.03)


def test_only_the_mask_counts():
    frames = video([50, 50, 50])
    frames[1, 0, 0] = 110
    mask = EVERYWHERE.copy()
    assert flicker(frames, mask) == pytest.approx(60 / 20)
    mask[0, 0] = False
    assert flicker(frames, mask) == temporal_deviation(frames, mask) == 0
    assert np.isnan(flicker(frames, np.zeros((4, 5), bool)))
    assert np.isnan(flicker(frames[:1], mask))
    assert np.isnan(temporal_deviation(frames[:0], mask))
    with pytest.raises(ShapeError, match=r"\(5, 4\)"):
        flicker(frames, mask.T)


def test_what_lies_near_a_moving_landmark_is_left_out():
    landmarks = np.full((3, 68, 2), 10.0)
    landmarks[:, 0, 0] += [0, 1, 2]  # two pixels are no motion yet
    assert still_pixels(landmarks, 100, 120).all()
    landmarks[:, 57] = [(60, 50), (60, 55), (60, 60)]
    still = still_pixels(landmarks, 100, 120)
    assert not still[50, 60 + 32]
    assert still[50, 60 + 33]
    assert not still[92, 60]  # below the lowest place
    assert still[93, 60]
    assert still[10, 10]
