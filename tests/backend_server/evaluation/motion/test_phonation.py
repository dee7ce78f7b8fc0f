import numpy as np
import pytest
from scipy.signal import lfilter, stft

from backend_server.evaluation.motion import phonation

RATE, PITCH, FORMANT = 16_000, 125.0, 1_500.0


@pytest.fixture
def vowel():
    """A second of silence, then a second of pulses through one resonance."""
    pulses = np.zeros(2 * RATE)
    pulses[RATE :: int(RATE / PITCH)] = 1.0
    turn, radius = 2 * np.pi * FORMANT / RATE, 0.97
    return (0.05 * lfilter([1.0], [1.0, -2 * radius * np.cos(turn), radius**2], pulses)).astype(np.float32)


def pitch(sound):
    """The lag of the highest autocorrelation between 100 and 250 Hz as Hz, and how high it is (1: periodic)."""
    voiced = sound[RATE + 3000 : RATE + 13000].astype(np.float64)
    correlation = np.correlate(voiced, voiced, "full")[len(voiced) - 1 :]
    lag = 64 + int(correlation[64:161].argmax())
    return RATE / lag, correlation[lag] / correlation[0]


def resonance(sound):
    """Where the envelope of the spectrum is highest, Hz."""
    frequencies, _, spectrum = stft(sound[RATE + 3000 : RATE + 13000], RATE, nperseg=128)
    return frequencies[np.abs(spectrum).mean(1).argmax()]


def test_a_whisper_has_the_vowel_and_no_voice(vowel):
    whisper = phonation.whispered(vowel, np.random.default_rng(0))
    assert pitch(vowel)[1] > 0.9
    assert pitch(whisper)[1] < 0.5
    assert resonance(whisper) == pytest.approx(FORMANT, abs=150)


def test_a_shout_is_higher_and_keeps_the_vowel(vowel):
    shout = phonation.shouted(vowel)
    height, sureness = pitch(shout)
    assert height == pytest.approx(phonation.SHOUT_PITCH * PITCH, rel=0.03)
    assert sureness > 0.4
    assert resonance(shout) == pytest.approx(FORMANT, abs=150)


def test_a_whisper_is_20_db_quieter_and_a_shout_overdriven(vowel):
    def level(sound):
        return 10 * np.log10(np.mean(np.square(sound[RATE:], dtype=np.float64)))

    assert level(phonation.whispered(vowel, np.random.default_rng(0))) - level(vowel) == pytest.approx(-20, abs=2)
    assert np.abs(phonation.shouted(vowel)).max() > 0.9


def test_sounds_stay_where_they_were(vowel):
    for changed in (phonation.whispered(vowel, np.random.default_rng(0)), phonation.shouted(vowel)):
        assert changed.shape == vowel.shape
        assert changed.dtype == np.float32
        assert np.abs(changed[: RATE - 400]).max() < 0.02 * np.abs(changed).max()
        assert np.abs(changed[RATE : RATE + 400]).max() > 0.2 * np.abs(changed).max()


@pytest.mark.parametrize("factor", [1.2, 1.5])
def test_a_tone_is_raised_and_not_shortened(factor):
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    high = phonation.raise_pitch(tone, factor)
    assert len(high) == len(tone)
    spectrum = np.abs(np.fft.rfft(high[2000:-2000] * np.hanning(len(high) - 4000)))
    assert spectrum.argmax() * RATE / (len(high) - 4000) == pytest.approx(200 * factor, rel=0.01)


def test_silence_stays_silent():
    silence = np.zeros(RATE, np.float32)
    assert np.abs(phonation.whispered(silence, np.random.default_rng(0))).max() < 1e-3
    assert np.abs(phonation.shouted(silence)).max() < 1e-3
