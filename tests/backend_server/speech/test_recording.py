"""Sound of any length is heard in blocks, and what is heard is that of the whole."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.config import SpeechConfig
from backend_server.speech import acoustic_model, recording
from backend_server.speech.acoustic_model import CtcAcousticModel
from backend_server.speech.audio import read_audio, read_contents, to_waveform, write_wav
from backend_server.speech.presence import speech_presence
from backend_server.speech.recording import ArraySound, FileSound, feature_blocks, listen
from shared.errors import Cancelled, SoundError


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return soundfile.read(SAMPLE_SPEECH, dtype="float32")[0]


@pytest.fixture(scope="module")
def model(tiny_config: SpeechConfig) -> CtcAcousticModel:
    torch.manual_seed(0)
    return CtcAcousticModel(tiny_config).eval()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "BLOCK_SAMPLES", 16_000)
    monkeypatch.setattr(recording, "BLOCK_SECONDS", 1)
    for name, positions in (("WINDOW", 60), ("HOP", 40), ("FADED", 10)):
        monkeypatch.setattr(acoustic_model, name, positions)


def write_container(path: Path, samples: np.ndarray, sample_rate: int, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sample_rate, layout="stereo")
        for part in np.array_split(samples, max(len(samples) // 960, 1)):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(np.stack([part, part])), format="fltp", layout="stereo"
            )
            frame.sample_rate = sample_rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 22_050, 48_000])
def test_blocks_of_an_array_are_its_waveform(speech, small_blocks, sample_rate):
    samples = np.stack([speech, 0.5 * speech], axis=1)[:70_001]
    blocks = list(ArraySound(samples, sample_rate).blocks())
    assert {len(block) for block in blocks[:-1]} == {16_000}
    np.testing.assert_allclose(np.concatenate(blocks), to_waveform(samples, sample_rate), atol=1e-6)


@pytest.mark.parametrize(("name", "codec"), [("talk.wav", ""), ("talk.opus", "libopus"), ("talk.mp4", "aac")])
def test_blocks_of_a_file_are_its_waveform_every_time(speech, small_blocks, tmp_path, name, codec):
    path = tmp_path / name
    samples = to_waveform(speech[:60_000], 8_000)
    if codec:
        write_container(path, samples, 48_000, codec)
    else:
        soundfile.write(path, samples, 48_000)
    sound = FileSound(path)
    first, second = (np.concatenate(list(sound.blocks())) for _ in range(2))
    clip = read_audio(path)
    np.testing.assert_allclose(first, to_waveform(clip.samples, clip.sample_rate), atol=1e-5)
    np.testing.assert_array_equal(first, second)
    assert sound.seconds == pytest.approx(len(first) / 16_000, abs=0.1)


def test_a_short_file_is_decoded_once_for_all_hearings(speech, tmp_path):
    write_wav(tmp_path / "a.wav", speech[: 2 * 16_000])
    sound = FileSound(tmp_path / "a.wav")
    first = listen(sound)
    (tmp_path / "a.wav").unlink()
    (block,) = sound.blocks()
    np.testing.assert_allclose(block, speech[: 2 * 16_000], atol=1e-4)
    assert torch.equal(listen(sound).level, first.level)


def test_what_is_heard_in_pieces_is_what_is_heard_of_the_whole(speech, model, small_blocks):
    heard = listen(ArraySound(speech, 16_000))
    pieces = list(feature_blocks(model, heard))
    assert len(pieces) >= 5
    np.testing.assert_allclose(np.concatenate(pieces), model.features(speech), atol=1e-4)
    assert heard.sample_count == len(speech)
    assert len(heard.peaks) == -(-len(speech) // 160)
    assert heard.peaks.max() == np.abs(speech).max()
    times = np.arange(0, heard.seconds, 0.04)
    np.testing.assert_allclose(heard.presence(times), speech_presence(speech, times), atol=1e-3)


def test_a_model_of_ones_own_is_given_the_whole(speech, small_blocks):
    class Own:
        channels, features_per_second = 1, 10.0

        def features(self, waveform):
            return waveform[::1600, None]

    (whole,) = feature_blocks(Own(), listen(ArraySound(speech, 16_000)))
    np.testing.assert_array_equal(whole[:, 0], speech[::1600])


def test_every_second_is_reported_so_that_a_cancel_is_heard_at_once(speech, small_blocks):
    reports = []
    listen(ArraySound(speech, 16_000), lambda *report: reports.append(report))
    total = ceil(len(speech) / 16_000)
    stages = ("listening", "speech")
    assert list(dict.fromkeys(reports)) == [(stage, second, total) for stage in stages for second in range(total + 1)]

    def cancel(left: Iterator[int], *_: object) -> None:
        if next(left, None) is None:
            raise Cancelled

    for calls in (1, total + 5):  # while it is surveyed, and while it is measured
        with pytest.raises(Cancelled):
            listen(ArraySound(speech, 16_000), partial(cancel, iter(range(calls))))


@pytest.mark.parametrize("declared", [0.0, 3.0, 90.0])
def test_the_first_hearing_of_a_file_shows_how_far_it_is(speech, tmp_path, monkeypatch, declared):
    write_wav(tmp_path / "long.wav", np.tile(speech, 3))
    seconds = ceil(3 * len(speech) / 16_000)
    contents = replace(read_contents(tmp_path / "long.wav"), seconds=declared)  # a file may say anything
    monkeypatch.setattr(recording, "read_contents", lambda _path: contents)
    reports = []
    listen(FileSound(tmp_path / "long.wav"), lambda *report: reports.append(report))
    heard = [(step, steps) for stage, step, steps in reports if stage == "listening"]
    assert heard[0] == (0, ceil(declared))
    assert heard[-1] == (seconds, seconds)
    shares = [step / max(steps, 1) for step, steps in heard[1:-1]]
    assert shares and shares == sorted(shares) and max(shares) <= 1
    assert len(set(heard)) >= 5


@pytest.mark.parametrize(
    ("samples", "sample_rate", "reason"),
    [
        (np.zeros(0, np.float32), 16_000, "empty"),
        (np.zeros(40_000, np.float32), 16_000, "silent"),
        (np.full(800, 0.1, np.float32), 16_000, r"0\.050 s"),
        (np.append(np.full(40_000, 0.1), [np.nan, np.inf]), 48_000, "2 samples of the sound are not numbers"),
        (np.ones((4000, 2, 2), np.float32), 16_000, "shape"),
        (np.ones(4000, np.float32), 0, "0 Hz"),
    ],
)
def test_bad_sound_is_refused_in_one_sentence(samples, sample_rate, reason):
    with pytest.raises(SoundError, match=reason):
        listen(ArraySound(samples, sample_rate))


def test_a_sound_over_the_limit_is_refused_before_all_of_it_was_heard(speech, small_blocks, monkeypatch):
    monkeypatch.setattr("backend_server.speech.audio.LONGEST_SPEECH_SECONDS", 2.0)
    reports = []
    with pytest.raises(SoundError, match="longer than the limit of 2 s"):
        listen(ArraySound(speech, 16_000), lambda *report: reports.append(report))
    assert len(reports) <= 4


def test_memory_does_not_grow_with_the_sound(speech, small_blocks, tmp_path, model):
    def peak_bytes(repeats: int) -> int:
        path = tmp_path / f"{repeats}.wav"
        with soundfile.SoundFile(path, "w", 16_000, 1) as file:
            for _ in range(repeats):
                file.write(speech)
        tracemalloc.start()
        heard = listen(FileSound(path))
        for _ in feature_blocks(model, heard):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    short, long = peak_bytes(5), peak_bytes(20)
    kept = 15 * len(speech) / 16_000 * 100 * (8 + 1) * 4  # levels and peaks, 100 a second
    assert long - short < 2.5 * kept < 15 * speech.nbytes / 5
