"""Tests which sounds the library reads, and what it says of those that it does not."""

import sys

import numpy as np
import pytest
import soundfile

from shared.errors import SoundError
from speech_face_client.sound import mono, read_sound

TONE = (0.5 * np.sin(np.arange(1600) / 7)).astype(np.float32)


@pytest.mark.parametrize(("width", "error"), [(1, 0.01), (2, 1e-4), (3, 1e-6), (4, 1e-6)])
def test_waves_of_whole_numbers(write_wave, width, error):
    sound = read_sound(write_wave(TONE, width=width, rate=44_100))
    np.testing.assert_allclose(sound.samples, TONE, atol=error)
    assert sound.samples.dtype == np.float32
    assert (sound.sample_rate, sound.notes) == (44_100, ())
    assert sound.seconds == pytest.approx(1600 / 44_100)


def test_the_mean_of_the_channels_that_sound_is_heard(write_wave):
    channels = np.stack([TONE, np.zeros_like(TONE), TONE], axis=1)
    np.testing.assert_allclose(read_sound(write_wave(channels)).samples, TONE, atol=1e-4)


def test_channels_that_cancel_each_other_are_said(write_wave):
    sound = read_sound(write_wave(np.stack([TONE, -TONE], axis=1), "odd.wav"))
    assert np.ptp(sound.samples) > 0.9
    (note,) = sound.notes
    assert str(note).startswith("odd.wav: channel ")
    assert "alone is heard" in note.sentence


def test_other_formats_are_read_by_soundfile_where_it_is(tmp_path, monkeypatch):
    path = tmp_path / "speech.flac"
    soundfile.write(path, TONE, 16_000, subtype="PCM_24")
    np.testing.assert_allclose(read_sound(path).samples, TONE, atol=1e-6)
    soundfile.write(tmp_path / "loud.wav", 3 * TONE, 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_sound(tmp_path / "loud.wav").samples, 3 * TONE, atol=1e-6)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(SoundError, match=r"speech\.flac is no WAV of whole numbers .*pip install soundfile"):
        read_sound(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "there is no sound file"), (b"", "cannot be read"), (b"RIFF\0\0\0\0WAVE", "cannot be read")],
)
def test_what_is_no_sound(tmp_path, content, sentence):
    path = tmp_path / "speech.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SoundError, match=sentence):
        read_sound(path)


def test_the_callers_array_may_change_while_it_is_sent():
    given = TONE.copy()
    sound = mono(given, 16_000)
    given[:] = 0
    np.testing.assert_array_equal(sound.samples, TONE)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.zeros(9, np.int16), "got int16; divide them"),
        (np.zeros((2, 3, 4)), r"got \(2, 3, 4\)"),
        (np.zeros(0), r"got \(0,\)"),
    ],
)
def test_arrays_that_are_no_sound(samples, sentence):
    with pytest.raises(SoundError, match=sentence):
        mono(samples, 16_000)
