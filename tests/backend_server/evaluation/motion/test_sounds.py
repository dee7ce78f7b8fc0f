import numpy as np
import pytest
from scipy.signal import welch

from backend_server.evaluation.motion import sounds
from backend_server.evaluation.motion.music import music


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


def test_music_at_10_db_below_the_speech_and_always_the_same(speech):
    noise = sounds.music_noise(10.0).heard(speech) - speech
    assert power_db(noise) - power_db(speech) == pytest.approx(-10, abs=0.01)
    np.testing.assert_array_equal(noise, sounds.music_noise(10.0).heard(speech) - speech)


def test_music_has_notes_and_beats():
    played = music(64_000, np.random.default_rng(0))
    frequencies, power = welch(played, 16_000, nperseg=8192)
    tonal = power[(frequencies > 100) & (frequencies < 1000)]
    assert tonal.max() > 50 * np.median(tonal)
    beats = np.square(played[: 64_000 // 400 * 400]).reshape(-1, 400).mean(1)
    assert np.percentile(beats, 95) > 3 * np.median(beats)


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_an_echo_follows_the_sound_and_falls_by_60_db_in_its_time(seconds):
    click = np.zeros(32_000, np.float32)
    click[1000] = 1.0
    heard = sounds.in_room(seconds).heard(click)
    assert np.abs(heard[:1000]).max() < 1e-6
    assert heard[1000] == pytest.approx(1)
    echo = heard[1001:]
    assert power_db(echo) + 10 * np.log10(len(echo)) == pytest.approx(0, abs=0.01)  # as strong as the click
    early, late = (power_db(echo[first : first + 800]) for first in (0, int(16_000 * seconds / 2)))
    assert early - late == pytest.approx(30, abs=2)


def test_a_telephone_leaves_a_band_and_the_time():
    noise = (0.1 * np.random.default_rng(0).standard_normal(32_000)).astype(np.float32)
    heard = sounds.TELEPHONE.heard(noise)
    frequencies, power = welch(heard, 16_000, nperseg=1024)
    inside = power[(frequencies > 500) & (frequencies < 3000)].mean()
    assert power[frequencies > 4300].mean() < 1e-3 * inside
    assert power[frequencies < 150].mean() < 1e-2 * inside
    lags = [float(np.dot(noise[100:-100], np.roll(heard, lag)[100:-100])) for lag in range(-80, 81)]
    assert abs(int(np.argmax(lags)) - 80) <= 5
