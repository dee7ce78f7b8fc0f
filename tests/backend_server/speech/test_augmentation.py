"""Variations of log-mel frames do what they say and no more."""

from dataclasses import replace

import numpy as np
import pytest

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.config import SpeechConfig
from backend_server.speech.augmentation import (
    Augmentation,
    NoiseBank,
    add_noise,
    add_room,
    mask,
    silences,
    surround,
    vary_place,
    vary_voice,
)
from backend_server.speech.dataset import Features

NOTHING = Augmentation(
    tempo=0.0,
    vocal_tract=0.0,
    silence_probability=0.0,
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
    bank = NoiseBank([], SpeechConfig(), rng)
    np.testing.assert_allclose(vary_voice(frames(), NOTHING, rng), frames(), atol=1e-5)
    np.testing.assert_allclose(vary_place(frames(), bank, NOTHING, rng), frames(), atol=1e-5)
    assert silences(NOTHING, rng) == (0, 0)
    np.testing.assert_array_equal(mask(frames(), NOTHING, rng), frames())


@pytest.mark.parametrize("seed", range(5))
def test_tempo_changes_the_length_within_its_range_and_keeps_the_order(seed: int):
    settings = replace(NOTHING, tempo=0.12)
    ramp = np.repeat(np.arange(300, dtype=np.float32)[:, None], 64, axis=1)
    varied = vary_voice(ramp, settings, np.random.default_rng(seed))
    assert 300 / 1.13 < len(varied) < 300 / 0.87
    steps = np.diff(varied[:, 0])
    np.testing.assert_allclose(steps, steps[0], atol=1e-3)
    assert steps[0] == pytest.approx(300 / len(varied), abs=0.01)


def test_the_same_seed_gives_the_same_variation():
    bank = NoiseBank([frames(seed=5).astype(np.float16)] * 3, SpeechConfig(), np.random.default_rng(1))
    settings = replace(Augmentation(), noise_probability=1.0)
    one, other = (vary_place(frames(), bank, settings, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.isfinite(one).all()
    assert np.abs(one - frames()).max() > 0.1


def test_babble_is_the_sum_of_equally_strong_voices():
    # powers 2 and 200 in every band and frame: each voice counts as mean power 1 over its 64 bands together
    voices = [np.full((50, 64), np.log(power), np.float16) for power in (2.0, 200.0)]
    bank = NoiseBank(voices, SpeechConfig(), np.random.default_rng(0))
    settings = replace(Augmentation(), babble_share=1.0, babble_voices=(3, 3))
    babble = bank.draw(120, settings, np.random.default_rng(2))
    assert babble.shape == (120, 64)
    np.testing.assert_allclose(np.exp(babble).sum(1), 3.0, rtol=1e-3)


def test_without_voices_the_noise_is_steady():
    bank = NoiseBank([], SpeechConfig(), np.random.default_rng(0))
    noise = bank.draw(4000, replace(Augmentation(), babble_share=1.0), np.random.default_rng(3))  # longer than kept
    assert noise.shape == (4000, 64)
    assert np.isfinite(noise).all()


def test_silence_around_speech_does_not_make_its_noise_weaker():
    speech = np.full((100, 64), -3.0, np.float32)
    still = surround(Features(speech, "a", "x"), 300, 0).mel
    noise = np.zeros((400, 64), np.float32)
    np.testing.assert_allclose(add_noise(still, noise, 0.0)[300:], add_noise(speech, noise[:100], 0.0), rtol=1e-4)


def test_surrounding_shifts_phones_and_mouth_and_knows_the_silence():
    phones, mouth = np.array([7, 9]), np.arange(12, dtype=np.float32).reshape(2, 6)
    item = Features(np.zeros((3, 64), np.float32), "a", "x", phones, np.array([0.0, 1.0], np.float32), mouth)
    still = surround(item, 4, 2)
    silent = PHONES.index(SILENCE)
    assert still.mel.shape == (9, 64)
    assert still.phones.tolist() == [silent, 7, 9, silent]
    assert still.begins.tolist() == [0, 4, 5, 7]
    assert still.mouth is not None  # a row for two frames: two unknown rows before, one after
    assert np.isnan(still.mouth[:2]).all()
    np.testing.assert_array_equal(still.mouth[2:4], mouth)
    assert np.isnan(still.mouth[4:]).all()
    order_only = surround(replace(item, begins=np.zeros(0, np.float32)), 4, 2)
    assert order_only.phones.tolist() == [7, 9]


def test_silences_are_bounded_and_as_frequent_as_asked():
    settings, rng = Augmentation(), np.random.default_rng(0)
    drawn = np.array([silences(settings, rng) for _ in range(2000)])
    assert drawn.max() <= 100 * settings.longest_silence
    assert (drawn > 0).mean() == pytest.approx(settings.silence_probability, abs=0.03)


def test_masks_cover_a_bounded_share():
    settings = Augmentation()
    masked = mask(np.ones((1000, 64), np.float32), settings, np.random.default_rng(3))
    bands, moments = (masked == 0).all(0), (masked == 0).all(1)
    assert bands.sum() <= settings.band_masks * settings.widest_band_mask
    assert 0 < moments.mean() < 0.2
