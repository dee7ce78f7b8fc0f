"""Music and noise without a voice are noted; speech never is, in noise neither."""

import numpy as np
import pytest
import soundfile

from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.speech.evidence import SpeechEvidence

RATE = 16_000
SECONDS = np.arange(6 * RATE) / RATE


@pytest.fixture(scope="module")
def cascade():
    return Cascade.load("cpu")


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(SAMPLE_SPEECH, dtype="float32")[0]


def notes_of(sound, length, decay, attack, overtones=8):
    """Notes of a scale one after the other, each struck when the last one ends."""
    random, sound_of = np.random.default_rng(1), np.zeros(len(SECONDS))
    count = int(length * RATE)
    times = SECONDS[:count]
    for first in range(0, len(SECONDS) - count + 1, count):
        for step in sound:
            hertz = 220 * 2 ** ((step + random.choice([0, 2, 4, 5, 7, 9])) / 12)
            tones = sum(np.sin(2 * np.pi * n * hertz * times) / n for n in range(1, overtones + 1))
            sound_of[first : first + count] += tones * np.minimum(times / attack, 1) * np.exp(-times / decay)
    return sound_of


def chords():
    return notes_of((0, 4, 7), 1.0, 1.5, 0.02)


def strings():
    return notes_of((12,), 0.5, 5.0, 0.1, overtones=14)


def organ():
    return notes_of((-5, 7), 0.8, 9.0, 0.03, overtones=9)


def plucks():
    return notes_of((0,), 0.25, 0.2, 0.002)


def sine_melody():
    return notes_of((0,), 0.3, 9.0, 0.01, overtones=1)


def flute():
    random = np.random.default_rng(2)
    return notes_of((12,), 0.4, 5.0, 0.08, overtones=2) + 0.02 * random.standard_normal(len(SECONDS))


def drums():
    random, sound = np.random.default_rng(3), np.zeros(len(SECONDS))
    for first in range(0, len(SECONDS) - RATE // 4, RATE // 4):
        beat = random.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / random.uniform(200, 1500))
        sound[first : first + RATE // 4] = beat
    return sound


def bass():
    return notes_of((-24,), 0.5, 0.6, 0.005, overtones=5)


def white_noise():
    return np.random.default_rng(0).standard_normal(len(SECONDS))


def hum():
    return sum(np.sin(2 * np.pi * 50 * n * SECONDS) / n for n in range(1, 12))


def codes(cascade, sound):
    scaled = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    return [note.code for note in cascade.animate(scaled, RATE, np.arange(0, len(sound) / RATE, 0.04)).notes]


@pytest.mark.parametrize("make", [chords, strings, organ, plucks, sine_melody, flute, drums, bass, white_noise, hum])
def test_music_and_noise_are_noted(cascade, make):
    assert codes(cascade, make()) == ["no_speech"]


@pytest.mark.parametrize("ratio_db", [None, 10, 5, 0, -5])
def test_speech_is_never_called_something_else(cascade, speech, ratio_db):
    noise = np.random.default_rng(0).standard_normal(len(speech))
    gain = 0 if ratio_db is None else np.sqrt(np.mean(speech**2) * 10 ** (-ratio_db / 10))
    assert codes(cascade, speech + gain * noise) == []


def test_one_part_with_a_voice_is_enough(cascade, speech):
    assert codes(cascade, np.concatenate([0.5 * chords(), chords() * 0.5, speech * 3])) == []
    assert codes(cascade, chords()[:RATE]) == []  # too short to tell


def test_a_word_in_a_long_silence_is_speech(cascade, speech):
    silence = 1e-4 * np.random.default_rng(0).standard_normal(4 * RATE)
    assert codes(cascade, np.concatenate([silence, speech[RATE // 2 : RATE], silence])) == []


def test_the_confidence_is_the_share_of_the_surest_phone_where_something_is_said():
    evidence = SpeechEvidence()
    assert evidence.confidence is None
    evidence.add(np.array([[0.3, 0.1, 0.0]], np.float32), 40.0)  # 0.4 in all: nothing is said
    assert evidence.confidence is None
    evidence.add(np.array([[0.6, 0.2, 0.0], [0.5, 0.25, 0.25]], np.float32), 40.0)
    assert evidence.confidence == pytest.approx((0.6 + 0.5) / (0.8 + 1.0))
