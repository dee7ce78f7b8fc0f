"""Speech of espeak-ng: known text, known phoneme times, the same sample every time."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from backend_server.data import synthetic_speech
from backend_server.data.synthetic_speech import synthesise, write_sample, write_synthetic_corpus
from backend_server.speech.audio import check_speech, read_audio
from backend_server.speech.dataset import read_index
from shared.errors import SpeechFaceError, ValueRangeError

SAMPLE = Path(synthetic_speech.__file__).parents[1] / "samples" / "speech.wav"

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


@needs_espeak
def test_phonemes_come_in_order_and_within_the_sound():
    speech = synthesise("Maybe you would.", "en", 150)
    symbols = [phoneme.symbol.strip("',") for phoneme in speech.phonemes]
    times = [phoneme.seconds for phoneme in speech.phonemes]
    assert symbols[:5] == ["m", "eI", "b", "i:", "j"] or symbols[:3] == ["m", "eI", "b"]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= speech.clip.seconds + 0.01
    check_speech(speech.clip.samples)


@needs_espeak
def test_a_pause_is_silent_and_speech_is_not_at_the_reported_times():
    speech = synthesise("Baa. Baa.", "en", 120)
    pauses = [p.seconds for p in speech.phonemes if p.symbol.startswith("_")]
    rate = speech.clip.sample_rate
    middle = speech.clip.samples[int((pauses[0] + 0.1) * rate) : int((pauses[0] + 0.2) * rate)]
    assert np.abs(middle).max() < 0.02
    vowel = next(p.seconds for p in speech.phonemes if "A" in p.symbol)
    assert np.abs(speech.clip.samples[int(vowel * rate) : int((vowel + 0.1) * rate)]).max() > 0.1


@needs_espeak
def test_a_slower_rate_is_longer_and_a_higher_pitch_is_higher():
    assert synthesise("one two three", rate=100).clip.seconds > 1.3 * synthesise("one two three", rate=200).clip.seconds


@needs_espeak
@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"voice": "no-such-voice"}, "no-such-voice"), ({"rate": 10}, "10 words"), ({"pitch": 101}, "101")],
)
def test_settings_outside_their_range_are_refused(settings: dict, reason: str):
    with pytest.raises(ValueRangeError, match=reason):
        synthesise("hello", **settings)


def test_without_espeak_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(SpeechFaceError, match=r"speech-face\[train\]"):
        synthetic_speech._library.__wrapped__()


@needs_espeak
def test_a_text_of_nothing_is_refused():
    with pytest.raises(ValueRangeError, match="nothing to say"):
        synthesise("  ")


@needs_espeak
def test_a_synthetic_corpus_can_be_trained_on(tmp_path: Path):
    count = write_synthetic_corpus(["one two three four five"], tmp_path, hours=0.003, seed=0)
    utterances = read_index(tmp_path)
    assert len(utterances) == count > 0
    assert all("one two three four five".find(utterance.text) >= 0 for utterance in utterances)
    clip = read_audio(utterances[0].path)
    assert clip.sample_rate == 16000


@needs_espeak
def test_the_shipped_sample_can_be_made_again(tmp_path: Path):
    write_sample(tmp_path / "speech.wav")
    made, shipped = read_audio(tmp_path / "speech.wav"), read_audio(SAMPLE)
    np.testing.assert_allclose(made.samples, shipped.samples, atol=2 / 32768)  # resamplers round as they like


def test_the_shipped_sample_is_short_mono_speech():
    clip = read_audio(SAMPLE)
    check_speech(clip.samples)
    assert clip.sample_rate == 16000
    assert 4.0 < clip.seconds < 7.0
    assert SAMPLE.stat().st_size < 250_000
