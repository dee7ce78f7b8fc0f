"""Speech of espeak-ng: known text, known phoneme times, the same sample every time."""

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend_server.data import synthetic_speech
from backend_server.data.synthetic_speech import phones_of_text, synthesise, write_sample
from backend_server.speech.audio import read_audio
from shared.errors import SpeechFaceError, ValueRangeError

ROOT = Path(synthetic_speech.__file__).parents[2]
SAMPLE = ROOT / "backend_server" / "samples" / "speech.wav"

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


@needs_espeak
def test_phones_are_those_of_the_text_and_fill_the_sound():
    speech = synthesise("Maybe you would.", "en", 150)
    phones = speech.phones
    assert [p.name for p in phones if p.name != "SIL"] == ["M", "EY", "B", "IY", "Y", "UW", "W", "UH", "D"]
    assert (phones[0].begin, phones[-1].end) == (0.0, speech.clip.seconds)
    assert all(one.end == other.begin for one, other in itertools.pairwise(phones))
    assert np.abs(speech.clip.samples).max() > 0.05


@needs_espeak
def test_a_pause_is_silent_and_speech_is_not_at_the_reported_times():
    speech = synthesise("Baa. Baa.", "en", 120)

    def loudest(name: str, number: int) -> float:
        phone = [p for p in speech.phones if p.name == name][number]
        begin, end = (int(t * speech.clip.sample_rate) for t in (phone.begin + 0.1, phone.end - 0.02))
        return float(np.abs(speech.clip.samples[begin:end]).max())

    assert loudest("SIL", -2 if speech.phones[-1].name == "SIL" else -1) < 0.02
    assert loudest("AA", 0) > 0.1


@needs_espeak
@pytest.mark.parametrize(
    ("text", "voice", "phones"),
    [
        ("Good vision, boys!", "en-us", "G UH D V IH ZH AH N B OY Z"),
        ("schöne Füße", "de", "SH UE N AH F UE S AH"),
        ("नाम", "hi", "N AA M"),
    ],
)
def test_a_text_has_the_phones_of_its_language(text: str, voice: str, phones: str):
    assert phones_of_text(text, voice) == tuple(phones.split())


@needs_espeak
def test_a_sound_without_a_phone_is_no_pause():
    names = [phone.name for phone in synthesise("A cotton button.", "en-us").phones]
    assert names == ["AH", "K", "AA", "N", "B", "AH", "N", "SIL"]  # both t are glottal stops


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
        synthesise("hello")


SAY = """
from sys import argv, stdout
from backend_server.data.synthetic_speech import synthesise
speech = synthesise("Six thin fish, he said.", *argv[1:])
stdout.buffer.write(speech.clip.samples.tobytes() + repr(speech.phones).encode())
"""


@needs_espeak
@pytest.mark.parametrize("voice", ["en", "en-us+f2", "en-gb-scotland+whisper", "en+klatt4", "en+adam", "de+sandro"])
def test_speech_is_that_of_a_fresh_process_whatever_was_said_before(voice: str):
    fresh = subprocess.run([sys.executable, "-c", SAY, voice], cwd=ROOT, capture_output=True, check=True).stdout
    for before in ("en-us+f5", "en+klatt", "cmn+caleb"):
        synthesise("Something else was said.", before)
        phones_of_text("Something else was read.", "fr")
        speech = synthesise("Six thin fish, he said.", voice)
        assert speech.clip.samples.tobytes() + repr(speech.phones).encode() == fresh


@needs_espeak
def test_a_text_of_nothing_is_refused():
    with pytest.raises(ValueRangeError, match="nothing to say"):
        synthesise("  ")


@needs_espeak
def test_the_shipped_sample_can_be_made_again(tmp_path: Path):
    write_sample(tmp_path / "speech.wav")
    made, shipped = read_audio(tmp_path / "speech.wav"), read_audio(SAMPLE)
    np.testing.assert_allclose(made.samples, shipped.samples, atol=2 / 32768)  # resamplers round as they like


def test_the_shipped_sample_is_short_mono_speech():
    clip = read_audio(SAMPLE)
    assert np.abs(clip.samples).max() > 0.05
    assert clip.sample_rate == 16000
    assert 4.0 < clip.seconds < 7.0
    assert SAMPLE.stat().st_size < 250_000
