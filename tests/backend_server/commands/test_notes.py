"""Tests the road of a note: from a picture to console, report and `--strict`."""

import json

import numpy as np
import pytest
from PIL import Image

from backend_server.cascade import Cascade
from backend_server.commands.notebook import Notebook
from backend_server.identities.pictures import portrait_path
from backend_server.identities.store import IdentityStore
from shared.errors import NoSpaceError, NoteError
from shared.notes import Note


@pytest.fixture
def two_faces(tmp_path):
    """A picture of two people, one smaller."""
    with Image.open(portrait_path()) as opened:
        portrait = opened.convert("RGB")
    canvas = Image.new("RGB", (900, 512), (90, 90, 90))
    canvas.paste(portrait, (0, 0))
    canvas.paste(portrait.resize((360, 360)), (530, 80))
    path = tmp_path / "both.png"
    canvas.save(path)
    return path


@pytest.mark.slow
def test_a_note_stands_on_the_console_and_in_the_report_each_time(run_command, sound, sample_samples, two_faces):
    speech, out = sound("speech.wav", sample_samples[:8_000], 16_000), two_faces.with_name("out")
    shown = "note: both.png: the picture shows 2 faces, and the largest was taken"
    for _ in range(2):  # the second time, the face is found among those that are kept
        options = ("--epochs", 1, "--fps", 4, "--out", out)
        result = run_command("animate", speech, "--images", two_faces, *options)
        assert result.exit_code == 0, result.stderr
        assert shown in result.stderr
        notes = json.loads((out / "report.json").read_text())["notes"]
        assert [(note["code"], note["about"]) for note in notes] == [("several_faces", "both.png")]
    assert "found, learnt on" in result.stderr


def test_strict_makes_a_note_an_error_and_writes_nothing(run_command, sound, sample_samples, two_faces):
    speech, out = sound("speech.wav", sample_samples[:8_000], 16_000), two_faces.with_name("out")
    result = run_command("animate", speech, "--images", two_faces, "--epochs", 0, "--fps", 4, "--strict", "--out", out)
    assert result.exit_code == 2
    assert "error: both.png: the picture shows 2 faces" in result.stderr
    assert not out.exists()


def test_strict_holds_for_adapt_too(run_command, two_faces):
    out = two_faces.with_name("face.safetensors")
    result = run_command("adapt", "--images", two_faces, "--epochs", 0, "--strict", "--out", out)
    assert result.exit_code == 2
    assert "error: both.png: the picture shows 2 faces" in result.stderr
    assert [path.name for path in out.parent.iterdir()] == ["both.png"]


@pytest.fixture
def hum(sound):
    """A sound in which nobody speaks."""
    seconds = np.arange(6 * 16_000) / 16_000
    waves = sum(np.sin(2 * np.pi * 50 * n * seconds) / n for n in range(1, 12))
    return sound("hum.wav", 0.3 * waves / np.abs(waves).max(), 16_000)


@pytest.fixture
def transparent(monkeypatch):
    """A cascade that renders frames in which nothing is seen."""

    def render(_cascade, _identity, landmarks, *_, **__):
        yield np.zeros((len(landmarks), 256, 256, 4), np.uint8)

    monkeypatch.setattr(Cascade, "render", render)


def test_what_is_wrong_with_the_result_is_named(run_command, sound, sample_samples, tmp_path, transparent):
    speech, out = sound("speech.wav", sample_samples[:8_000], 16_000), tmp_path / "out"
    result = run_command("animate", speech, "--images", portrait_path(), "--epochs", 0, "--fps", 4, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "note: 100% of the rendered face is transparent" in result.stderr
    notes = json.loads((out / "report.json").read_text())["notes"]
    assert [note["code"] for note in notes] == ["transparent_face", "lips_elsewhere"]


def test_strict_makes_a_note_of_the_result_an_error(run_command, sound, sample_samples, tmp_path, transparent):
    speech, out = sound("speech.wav", sample_samples[:8_000], 16_000), tmp_path / "out"
    options = ("--epochs", 0, "--fps", 4, "--strict", "--out", out)
    result = run_command("animate", speech, "--images", portrait_path(), *options)
    assert result.exit_code == 2
    assert "error: 100% of the rendered face is transparent" in result.stderr
    assert not out.exists()


def test_strict_makes_a_note_of_the_sound_an_error(run_command, hum, tmp_path):
    out = tmp_path / "out"
    result = run_command("animate", hum, "--no-texture", "--fps", 4, "--strict", "--out", out)
    assert result.exit_code == 2
    assert "error: hum.wav: no speech was heard" in result.stderr
    assert not out.exists()


def test_a_sound_without_a_voice_is_named(run_command, hum, tmp_path):
    speech, out = hum, tmp_path / "out"
    result = run_command("animate", speech, "--no-texture", "--fps", 4, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "note: hum.wav: no speech was heard" in result.stderr
    notes = json.loads((out / "report.json").read_text())["notes"]
    assert [(note["code"], note["about"]) for note in notes] == [("no_speech", "hum.wav")]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["adapt", "animate"])
def test_why_a_face_is_not_kept_is_said_once(run_command, sound, sample_samples, tmp_path, monkeypatch, command):
    def full(*_args):
        raise NoSpaceError("the disk is full")

    monkeypatch.setattr(IdentityStore, "save", full)
    speech = (
        (sound("speech.wav", sample_samples[:8_000], 16_000), "--fps", 4) if command == "animate" else ("--no-sheet",)
    )
    out = tmp_path / ("out" if command == "animate" else "face.safetensors")
    result = run_command(command, *speech, "--images", portrait_path(), "--epochs", 1, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert (result.stdout + result.stderr).count("the disk is full") == 1
    assert "note: the learnt face is not kept for the next time: the disk is full" in result.stderr


def test_a_notebook_keeps_each_note_once():
    shown = []
    book = Notebook(shown.append)
    book.add([Note("a", "first"), Note("b", "second", "f.png")])
    book.add([Note("a", "first")])
    assert shown == ["note: first", "note: f.png: second"]
    assert [note.code for note in book.notes] == ["a", "b"]
    with pytest.raises(NoteError, match=r"first \(with --strict"):
        Notebook(is_strict=True).add([Note("a", "first")])
