import numpy as np
import pytest

from backend_server.evaluation.motion import sounds


def power_db(waveform):
    return 10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)))


@pytest.fixture
def speech():
    return (0.1 * np.sin(np.arange(16_000) * 0.05)).astype(np.float32)


@pytest.mark.parametrize("level", [-40.0, -10.0, 0.0])
def test_white_noise_stands_at_its_level_over_the_speech(speech, level):
    noise = sounds.white_noise(level).heard(speech) - speech
    assert power_db(noise) - power_db(speech) == pytest.approx(level, abs=0.01)


def test_babble_at_5_db_below_the_noise(speech):
    voices = [np.random.default_rng(seed).standard_normal(5_000).astype(np.float32) for seed in range(4)]
    noise = sounds.babble_noise(voices, -5.0).heard(speech) - speech
    assert power_db(noise) - power_db(speech) == pytest.approx(5, abs=0.01)
    again = sounds.babble_noise(voices, -5.0).heard(speech) - speech
    np.testing.assert_array_equal(noise, again)


def test_a_level_is_that_of_the_loudest_sample(speech):
    quiet = sounds.at_level(-40.0).heard(speech)
    assert np.abs(quiet).max() == pytest.approx(0.01, abs=1 / 32767)
    np.testing.assert_allclose(quiet * 32767, np.rint(quiet * 32767), atol=1e-3)


def test_another_voice_is_shorter_and_says_so(speech):
    sound = sounds.other_voice(1.25)
    assert len(sound.heard(speech)) == pytest.approx(len(speech) / sound.speed, abs=2)
