"""Variations of log-mel frames do what they say and no more."""

from dataclasses import replace

import numpy as np
import pytest

from backend_server.config import SpeechConfig
from backend_server.speech.augmentation import Augmentation, add_noise, add_room, mask, noise_bank, vary

NOTHING = Augmentation(
    tempo=0.0,
    vocal_tract=0.0,
    room_probability=0.0,
    noise_probability=0.0,
    band_limit_probability=0.0,
    time_masks_per_second=0.0,
    band_masks=0,
)


def frames(count: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-5.0, 2.0, (count, 64)).astype(np.float32)


def test_noise_by_hand():
    # one band of power 4, noise of power 100 at 0 dB becomes 4, at 6.02 dB 1
    speech, noise = np.full((3, 1), np.log(4.0), np.float32), np.full((3, 1), np.log(100.0), np.float32)
    np.testing.assert_allclose(np.exp(add_noise(speech, noise, 0.0)), 8.0, rtol=1e-4)
    np.testing.assert_allclose(np.exp(add_noise(speech, noise, 10 * np.log10(4.0))), 5.0, rtol=1e-4)


def test_noise_never_takes_power_away():
    assert np.all(add_noise(frames(), frames(seed=1), 5.0) >= frames())


def test_an_echo_dies_away_as_long_as_it_should():
    clap = np.full((100, 1), np.log(1e-10), np.float32)
    clap[10] = 0.0
    heard = add_room(clap, 0.5, 0.0)[:, 0] * 10 / np.log(10)  # dB
    assert heard[10] == pytest.approx(0.0, abs=0.01)
    assert heard[11] - heard[36] == pytest.approx(30.0, abs=0.1)  # 60 dB in half a second
    assert 10 * np.log10(np.sum(10 ** (heard[11:] / 10))) == pytest.approx(0.0, abs=0.1)  # as strong as the clap
    assert np.all(heard[:10] < -96)


def test_settings_of_nothing_change_nothing():
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(vary(frames(), [], NOTHING, rng), frames(), atol=1e-5)
    np.testing.assert_array_equal(mask(frames(), NOTHING, rng), frames())


@pytest.mark.parametrize("seed", range(5))
def test_tempo_changes_the_length_within_its_range_and_keeps_the_order(seed: int):
    settings = replace(NOTHING, tempo=0.12)
    ramp = np.repeat(np.arange(300, dtype=np.float32)[:, None], 64, axis=1)
    varied = vary(ramp, [], settings, np.random.default_rng(seed))
    assert 300 / 1.13 < len(varied) < 300 / 0.87
    steps = np.diff(varied[:, 0])
    np.testing.assert_allclose(steps, steps[0], atol=1e-3)
    assert steps[0] == pytest.approx(300 / len(varied), abs=0.01)


def test_the_same_seed_gives_the_same_variation():
    config = SpeechConfig()
    bank = noise_bank([frames().astype(np.float16)] * 3, config, np.random.default_rng(1))
    assert len(bank) == 16
    assert all(np.isfinite(noise).all() for noise in bank)
    one, other = (vary(frames(), bank, Augmentation(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.isfinite(one).all()


def test_masks_cover_a_bounded_share():
    settings = Augmentation()
    masked = mask(np.ones((1000, 64), np.float32), settings, np.random.default_rng(3))
    bands, moments = (masked == 0).all(0), (masked == 0).all(1)
    assert bands.sum() <= settings.band_masks * settings.widest_band_mask
    assert 0 < moments.mean() < 0.2
