"""Sound files of every kind become the same waveform; bad ones are refused with one sentence."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from backend_server.speech import audio, tracks
from backend_server.speech.audio import (
    check_measures,
    read_audio,
    read_blocks,
    read_contents,
    survey_file,
    to_waveform,
    write_wav,
)
from shared.errors import SoundError


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 96000])
def test_a_tone_at_any_rate_becomes_the_same_16_khz_tone(rate: int):
    waveform = to_waveform(tone(rate), rate)
    assert len(waveform) == pytest.approx(8000, abs=1)
    np.testing.assert_allclose(waveform[500:7500], tone(16000)[500:7500], atol=2e-3)


def test_stereo_is_the_mean_of_its_channels(tmp_path: Path):
    left, right = tone(16000), 0.2 * tone(16000, hertz=300.0)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    clip = read_audio(tmp_path / "two.wav")
    np.testing.assert_allclose(clip.samples, (left + right) / 2, atol=1e-6)
    np.testing.assert_allclose(to_waveform(np.stack([left, right], axis=1), 16000), (left + right) / 2, atol=1e-6)


def test_too_loud_samples_are_scaled():
    np.testing.assert_allclose(to_waveform(3 * tone(16000), 16000), 2 * tone(16000), atol=1e-4)


def test_a_wav_survives_the_round_trip_within_16_bits(tmp_path: Path):
    write_wav(tmp_path / "new" / "tone.wav", tone(16000))
    clip = read_audio(tmp_path / "new" / "tone.wav")
    assert (clip.sample_rate, clip.seconds) == (16000, 0.5)
    np.testing.assert_allclose(clip.samples, tone(16000), atol=1 / 32768)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("read", [read_audio, read_contents])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, pipe, read):
    with pytest.raises(SoundError, match=r"me\.wav is a pipe, socket or device; save the sound as a file"):
        read(pipe(tmp_path / "me.wav"))


def write_video(path: Path, *, with_sound: bool) -> None:
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.width = pictures.height = 32
        sound = container.add_stream("aac", rate=44100, layout="stereo") if with_sound else None
        for _ in range(15):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        if sound is not None:
            both = np.stack([tone(44100), tone(44100)])
            frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
            frame.rate = 44100
            container.mux(sound.encode(frame))
            container.mux(sound.encode())


def test_the_sound_of_a_video_is_read(tmp_path: Path):
    write_video(tmp_path / "talk.mp4", with_sound=True)
    clip = read_audio(tmp_path / "talk.mp4")
    assert clip.sample_rate == 44100
    assert clip.seconds == pytest.approx(0.5, abs=0.06)
    spectrum = np.abs(np.fft.rfft(clip.samples))
    assert spectrum.argmax() / clip.seconds == pytest.approx(440.0, abs=4.0)


def make_missing(path: Path) -> Path:
    return path / "missing.wav"


def make_empty(path: Path) -> Path:
    (path / "empty.wav").touch()
    return path / "empty.wav"


def make_text(path: Path) -> Path:
    (path / "notes.wav").write_text("not a sound at all, " * 50)
    return path / "notes.wav"


def make_cut_header(path: Path) -> Path:
    write_wav(path / "whole.wav", tone(16000))
    (path / "cut.wav").write_bytes((path / "whole.wav").read_bytes()[:20])
    return path / "cut.wav"


def make_no_samples(path: Path) -> Path:
    write_wav(path / "none.wav", np.zeros(0, np.float32))
    return path / "none.wav"


def make_mute_video(path: Path) -> Path:
    write_video(path / "mute.mp4", with_sound=False)
    return path / "mute.mp4"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_missing, "there is no sound file"),
        (lambda path: path, "is a folder"),
        (make_empty, "0 bytes"),
        (make_text, "is not a sound file"),
        (make_cut_header, "is not a sound file"),
        (make_no_samples, "holds no sound"),
        (make_mute_video, "no sound"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_in_one_sentence(tmp_path: Path, make, reason: str):
    path = make(tmp_path)
    with pytest.raises(SoundError, match=reason) as caught:
        read_audio(path)
    assert str(path) in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_a_file_over_the_limit_is_refused_before_all_of_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audio, "LONGEST_SPEECH_SECONDS", 2.0)
    soundfile.write(tmp_path / "long.flac", np.zeros(8000 * 300, np.int16), 8000)
    heard = []
    with pytest.raises(SoundError, match=r"long\.flac lasts .* the limit of 2 s"):
        survey_file(tmp_path / "long.flac", heard.append)
    assert len(heard) <= 1
    write_video(tmp_path / "talk.mp4", with_sound=True)
    monkeypatch.setattr(audio, "LONGEST_SPEECH_SECONDS", 0.3)
    with pytest.raises(SoundError, match=r"talk\.mp4 lasts"):
        read_audio(tmp_path / "talk.mp4")


@pytest.mark.parametrize(
    ("waveform", "reason"),
    [
        (np.zeros(0, np.float32), "empty"),
        (tone(16000, 0.05), r"0\.050 s.*0\.1 s"),
        (np.zeros(16000, np.float32), "silent"),
        (tone(16000) * 1e-3, "-66 dBFS"),
        (np.broadcast_to(np.float32(1), 16000 * 14_401), r"14401 s.*14400 s"),
    ],
)
def test_a_waveform_without_speech_is_refused(waveform: np.ndarray, reason: str):
    with pytest.raises(SoundError, match=reason):
        check_measures(len(waveform), float(np.abs(waveform).max(initial=0.0)))


def test_quiet_speech_passes():
    check_measures(16000, 1e-2)


def test_broken_samples_and_rates_are_refused():
    with pytest.raises(SoundError, match="1 samples"):
        to_waveform(np.array([0.0, np.inf], np.float32), 16000)
    with pytest.raises(SoundError, match="0 Hz"):
        to_waveform(tone(16000), 0)
    with pytest.raises(SoundError, match="shape"):
        to_waveform(np.zeros((2, 2, 2), np.float32), 16000)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_a_wav_file_is_opened_again_without_looking_into_its_samples(tmp_path, monkeypatch, subtype):
    rate, samples = 44_100, np.stack([tone(44_100, 3.0), 0.5 * tone(44_100, 3.0)], axis=1)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype=subtype)
    content = (tmp_path / "a.wav").read_bytes()
    start = content.index(b"data")  # what editors write before the samples may be longer than what is looked at
    chunk = b"bext" + (100_000).to_bytes(4, "little") + bytes(100_000)
    whole = content[:4] + (len(content) + len(chunk) - 8).to_bytes(4, "little") + content[8:start] + chunk
    (tmp_path / "b.wav").write_bytes(whole + content[start:])
    opened, original = [], av.open

    def watched(*args, **settings):
        opened.append(settings["options"])
        return original(*args, **settings)

    monkeypatch.setattr(tracks.av, "open", watched)
    for name in ("a.wav", "b.wav"):
        opened.clear()
        survey = survey_file(tmp_path / name)
        read = np.concatenate([block.samples for block in read_blocks(tmp_path / name, survey.track)])
        np.testing.assert_allclose(read, samples, atol=0.05 if subtype == "ULAW" else 1e-4)
        assert (survey.sample_rate, survey.channels, survey.sample_count) == (rate, 2, len(samples))
        assert ["probesize" in options for options in opened] == [False, True, True]


def test_a_sound_that_vanishes_after_its_contents_were_read_is_told(tmp_path):
    write_wav(tmp_path / "a.wav", tone(16_000))
    contents = read_contents(tmp_path / "a.wav")
    (tmp_path / "a.wav").unlink()
    with pytest.raises(SoundError, match="can no longer be read"):
        survey_file(tmp_path / "a.wav", contents=contents)
