import numpy as np
import pytest
import soundfile

from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.speech.presence import speech_presence

moments = np.arange(0, 16, 0.01)
PAUSE = np.zeros(3 * 16_000, np.float32)


@pytest.fixture(scope="module")
def spoken():
    """Three seconds of nothing, four of speech, three of nothing, speech again at half the level, nothing."""
    speech = soundfile.read(SAMPLE_SPEECH, dtype="float32")[0][: 4 * 16_000]
    return np.concatenate([PAUSE, speech, PAUSE, speech / 2, PAUSE])


def noise(name, count):
    random = np.random.default_rng(0)
    white = random.standard_normal(count)
    if name == "white":
        return white
    if name == "pink":
        spectrum = np.fft.rfft(white)
        return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 40)), count)
    seconds = np.arange(count) / 16_000
    return sum(np.sin(2 * np.pi * 50 * n * seconds) / n for n in range(1, 12)) + 0.1 * white


def mixed(spoken, name, ratio_db):
    """Speech with noise whose power is `ratio_db` below that of the speech's own passages."""
    sound = noise(name, len(spoken))
    power = np.mean(spoken[48_000:112_000] ** 2)
    return (spoken + sound * np.sqrt(power / np.mean(sound**2) * 10 ** (-ratio_db / 10))).astype(np.float32)


def loud_moments(waveform):
    level = np.array([np.mean(waveform[int(t * 16_000) : int(t * 16_000) + 480] ** 2) for t in moments])
    return (level > np.mean(waveform[48_000:112_000] ** 2)) & (moments < 7)


@pytest.mark.parametrize(
    ("name", "ratio_db"), [("white", 20), ("white", 5), ("white", 0), ("pink", 5), ("hum", 20), ("hum", 0)]
)
def test_noise_neither_hides_speech_nor_counts_as_such(spoken, name, ratio_db):
    presence = speech_presence(mixed(spoken, name, ratio_db), moments)
    assert (presence[loud_moments(spoken)] == 1).mean() > 0.95
    for begin, end in ((0, 2.5), (7.5, 9.5), (14.5, 16)):
        assert not presence[(moments >= begin) & (moments < end)].any()


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_the_level_does_not_matter(spoken, gain):
    change = np.abs(speech_presence(gain * spoken, moments) - speech_presence(spoken, moments))
    assert change.max() < 0.15  # a moment of 10 ms earlier or later
    assert change.mean() < 0.005


@pytest.mark.parametrize("name", ["white", "pink", "hum"])
def test_noise_alone_holds_no_speech(name):
    assert not speech_presence(noise(name, 80_000).astype(np.float32) / 10, moments[100:400]).any()


def test_it_opens_before_the_sound_and_closes_after_it_smoothly():
    tone = np.sin(np.arange(16_000) * 0.1).astype(np.float32) / 4
    presence = speech_presence(np.concatenate([PAUSE, tone, PAUSE]), moments[:700])
    np.testing.assert_array_equal(presence[(moments[:700] > 2.95) & (moments[:700] < 4.05)], 1)
    assert not presence[(moments[:700] < 2.6) | (moments[:700] > 4.4)].any()
    assert np.abs(np.diff(presence)).max() < 0.12  # 0.2 s from 0 to 1
    assert np.abs(np.diff(presence, 2)).max() < 0.03


def test_a_stop_consonant_leaves_the_mouth_free():
    tone = np.sin(np.arange(8_000) * 0.1).astype(np.float32) / 4
    closure = np.zeros(round(0.2 * 16_000), np.float32)
    presence = speech_presence(np.concatenate([PAUSE, tone, closure, tone, PAUSE]), moments[:700])
    np.testing.assert_array_equal(presence[300:420], 1)


def test_a_shorter_hold_begins_so_much_later(spoken):
    long, short = (speech_presence(spoken, moments, hold) for hold in (0.2, 0.1))
    assert moments[np.argmax(short > 0)] - moments[np.argmax(long > 0)] == pytest.approx(0.1, abs=0.011)
    assert np.all(short <= long + 1e-6)
