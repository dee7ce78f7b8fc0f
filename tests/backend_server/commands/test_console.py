"""Tests several values after one option, and a folder that is written completely or not at all."""

import pytest

from backend_server.commands import animate
from backend_server.commands.output_folder import output_folder
from shared.errors import Cancelled


def test_images_take_several_values_at_once(run_command, tmp_path):
    result = run_command("adapt", "--images", "a.png", "b.png", "--out", tmp_path / "x", "--images", "c.png")
    assert result.exit_code == 2
    assert "a.png" in result.stderr  # not: unexpected extra argument b.png
    assert "unexpected" not in result.stderr


@pytest.fixture
def asked(run_command, tmp_path, monkeypatch):
    """Runs `animate` up to where its work begins, and gives the names of the speech and of the images."""

    def ask(*args):
        for name in ("a.png", "b.png", "c.jfif", "hello.wav", "other.wav"):
            (tmp_path / name).touch()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(animate, "animate", lambda settings, *_: settings_seen.append(settings))
            result = run_command("animate", "--out", "results", *args)
        assert result.exit_code == 0, result.stderr
        return settings_seen[-1].speech.name, [path.name for path in settings_seen[-1].images], result.stderr

    settings_seen = []
    return ask


@pytest.mark.parametrize(
    "args",
    [
        ("hello.wav", "--images", "a.png", "b.png"),
        ("--images", "a.png", "b.png", "hello.wav"),
        ("--images", "a.png", "hello.wav", "b.png"),
        ("--images=a.png", "b.png", "hello.wav", "--seed", "3"),
        ("--images", "a.png", "b.png", "--lead", "-0.1", "hello.wav"),
        ("--images", "a.png", "b.png", "--no-blink", "hello.wav"),
        ("--images", "a.png", "b.png", "--", "hello.wav"),
    ],
)
def test_the_speech_is_not_taken_for_a_picture(asked, args):
    speech, images, told = asked(*args)
    assert (speech, images) == ("hello.wav", ["a.png", "b.png"])
    assert "shipped sample" not in told


def test_pictures_of_any_name_stay_pictures_and_the_sample_is_named(asked):
    speech, images, told = asked("--images", "a.png", "c.jfif")
    assert (speech, images) == ("speech.wav", ["a.png", "c.jfif"])
    assert "shipped sample" in told


@pytest.mark.parametrize("command", [("animate",), ("animate", "hello.wav"), ("adapt",)])
def test_a_sound_among_the_pictures_is_named(run_command, tmp_path, command):
    paths = [tmp_path / name for name in ("hello.wav", "other.wav")]
    for path in paths:
        path.touch()
    result = run_command(*command, "--images", *paths, "--out", tmp_path / "results")
    assert result.exit_code == 2
    assert f"{paths[0]} is a sound or film, not a picture; give the speech before --images" in result.stderr
    assert not (tmp_path / "results").exists()


def test_a_failed_block_leaves_the_old_results(tmp_path):
    target = tmp_path / "out"
    with output_folder(target) as folder:
        (folder / "curves.json").write_text("first")
    with pytest.raises(Cancelled), output_folder(target) as folder:
        (folder / "curves.json").write_text("second")
        raise Cancelled
    assert (target / "curves.json").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_new_results_replace_old_ones_and_leave_the_rest(tmp_path):
    target = tmp_path / "out"
    for text in ("first", "second"):
        with output_folder(target) as folder:
            (folder / "frames").mkdir()
            (folder / "frames" / f"{text}.png").touch()
        (target / "notes.txt").write_text("mine")
    assert [p.name for p in (target / "frames").iterdir()] == ["second.png"]
    assert (target / "notes.txt").read_text() == "mine"
