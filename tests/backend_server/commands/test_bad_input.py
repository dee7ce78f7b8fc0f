"""Tests that bad input gives one sentence that names it, exit code 2, and no files."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from backend_server.commands import output_folder
from backend_server.identities.pictures import portrait_path
from backend_server.speech import audio


@pytest.fixture
def refused(run_command, tmp_path):
    """Runs animate, expects a refusal, and gives the sentence."""

    def run(*args: object) -> str:
        out = tmp_path / "results" / "out"
        result = run_command("animate", *args, "--out", out)
        assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
        assert not out.exists()
        assert not out.parent.exists() or not list(out.parent.iterdir())
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, result.stderr
        return lines[0]

    return run


@pytest.mark.parametrize("name", ["missing.wav", "empty.wav", "text.wav", "folder.wav"])
def test_a_file_without_sound(refused, tmp_path, name):
    path = tmp_path / name
    if name == "empty.wav":
        path.touch()
    elif name == "text.wav":
        path.write_text("not a sound")
    elif name == "folder.wav":
        path.mkdir()
    assert name in refused(path, "--no-texture")


def test_silence(refused, sound):
    assert "silent" in refused(sound("silence.wav", np.zeros(16_000), 16_000), "--no-texture").lower()


def test_a_sound_over_the_limit(refused, sound, sample_samples, monkeypatch):
    monkeypatch.setattr(audio, "LONGEST_SPEECH_SECONDS", 1.25)
    sentence = refused(sound("long.flac", sample_samples, 16_000), "--no-texture")
    assert "long.flac lasts 2 s, longer than the limit of 1 s" in sentence


def test_samples_that_are_no_numbers(refused, tmp_path, sample_samples):
    path = tmp_path / "broken.wav"
    sample_samples[20_000] = np.nan
    soundfile.write(path, sample_samples, 16_000, subtype="FLOAT")
    assert "1 samples of the sound are not numbers" in refused(path, "--no-texture")


@pytest.mark.parametrize(("sample_rate", "channels"), [(8_000, 2), (96_000, 2), (44_100, 1)])
def test_any_rate_and_channel_count_works(run_command, sound, sample_samples, tmp_path, sample_rate, channels):
    positions = np.arange(int(len(sample_samples) * sample_rate / 16_000)) * 16_000 / sample_rate
    heard = np.interp(positions, np.arange(len(sample_samples)), sample_samples)
    speech = sound("speech.wav", np.repeat(heard[:, None], channels, axis=1), sample_rate)
    result = run_command("animate", speech, "--no-texture", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "out" / "report.json").read_text())["frames"] == 38


def test_no_images_at_all(refused, sound, sample_samples):
    assert "--images" in refused(sound("speech.wav", sample_samples, 16_000))


@pytest.mark.parametrize("name", ["missing.png", "empty.png", "text.png", "folder"])
def test_images_that_are_none(refused, sound, sample_samples, tmp_path, name):
    path = tmp_path / name
    if name == "empty.png":
        path.touch()
    elif name == "text.png":
        path.write_text("not a picture")
    elif name == "folder":
        path.mkdir()
    assert name in refused(sound("speech.wav", sample_samples, 16_000), "--images", path)


def test_a_picture_without_a_face(refused, sound, sample_samples, tmp_path):
    path = tmp_path / "wall.png"
    Image.new("RGB", (400, 300), (120, 130, 90)).save(path)
    sentence = refused(sound("speech.wav", sample_samples, 16_000), "--images", portrait_path(), path)
    assert sentence.startswith("error: wall.png: ")
    assert "face" in sentence


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--silence", 2, "the silence is 2; choose a value from 0 to 1"),
        ("--lead", "nan", "the lead is nan; choose a value from -0.2 to 0.2"),
        ("--blink-duration", 0.1, "the blink duration is 0.1; choose a value from 0.25 to 4"),
    ],
)
def test_a_control_out_of_range(refused, sound, sample_samples, option, value, sentence):
    speech = sound("speech.wav", sample_samples, 16_000)
    assert refused(speech, "--no-texture", option, value) == f"error: {sentence}"


def test_a_full_frame_needs_pictures_that_fit(refused, sound, sample_samples, tmp_path):
    speech = sound("speech.wav", sample_samples, 16_000)
    sentence = refused(speech, "--full-frame", "--identity", tmp_path / "face.safetensors")
    assert "give --images instead of --identity" in sentence
    assert "leave one of them out" in refused(speech, "--full-frame", "--no-texture", "--images", portrait_path())
    path = tmp_path / "wide.png"
    with Image.open(portrait_path()) as portrait:
        wide = Image.new("RGB", (4200, portrait.height))
        wide.paste(portrait, (1800, 0))
    wide.save(path)
    assert "wide.png has 4200 x 512 pixels" in refused(speech, "--full-frame", "--images", path)


def test_formats_that_do_not_go_together(refused, sound, sample_samples):
    speech = sound("speech.wav", sample_samples, 16_000)
    assert "--frames-as exr needs pictures" in refused(speech, "--no-texture", "--frames-as", "exr")
    green = ("--background", "#00ff00")
    assert "--no-texture makes no pictures" in refused(speech, "--no-texture", *green)
    own = refused(speech, "--full-frame", "--images", portrait_path(), *green)
    assert "--full-frame keeps the picture's own" in own
    sentence = refused(speech, "--images", portrait_path(), "--background", "red")
    assert sentence == 'error: the background is "red"; write a colour as #rrggbb, for instance "#00ff00"'


def test_a_format_that_is_none(run_command, sound, sample_samples, tmp_path):
    speech = sound("speech.wav", sample_samples, 16_000)
    result = run_command("animate", speech, "--frames-as", "gif", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "gif" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_disk(refused, sound, sample_samples, monkeypatch):
    monkeypatch.setattr(output_folder.shutil, "disk_usage", lambda _: _Usage())
    sentence = refused(sound("speech.wav", sample_samples, 16_000), "--images", portrait_path())
    assert "MiB" in sentence


class _Usage:
    free = 1000


def test_an_output_that_is_a_file(run_command, sound, sample_samples, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("keep me")
    speech = sound("speech.wav", sample_samples, 16_000)
    result = run_command("animate", speech, "--no-texture", "--out", taken)
    assert result.exit_code == 2
    assert "taken" in result.stderr
    assert taken.read_text() == "keep me"


def test_adapt_without_images(run_command, tmp_path):
    result = run_command("adapt", "--out", tmp_path / "face.safetensors")
    assert result.exit_code == 2
    assert "--images" in result.stderr
    assert not Path(tmp_path / "face.safetensors").exists()
