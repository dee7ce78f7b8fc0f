"""Tests what `animate --words` and `--transcript` write, and which transcripts they refuse."""

import json

import pytest

from backend_server.commands.transcript import read_transcript

TEXT = "Good morning. Before you move my mouth, look how few words bring my face to life."


@pytest.fixture
def animate(run_command, tmp_path):
    """Animates the shipped sample; returns what the command said, and the content of words.json."""

    def run(*options):
        out = tmp_path / "out"
        done = run_command("animate", "--no-texture", *options, "--out", out)
        written = out / "words.json"
        return done, json.loads(written.read_text("utf-8")) if written.exists() else None

    return run


def test_a_transcript_gives_words_beside_phones(animate, tmp_path):
    done, document = animate("--transcript", TEXT)
    assert done.exit_code == 0, done.stderr
    assert document["format"] == "speech_face.words/1"
    assert [word["text"] for word in document["words"]] == TEXT.split()
    for kind in ("words", "phones"):
        ends = [end for said in document[kind] for end in (said["begin"], said["end"])]
        assert ends == sorted(ends)
        assert all(0 <= said["confidence"] <= 1 for said in document[kind])
    assert json.loads((tmp_path / "out" / "report.json").read_text())["words"] is True


def test_a_transcript_may_stand_in_a_file(animate, tmp_path):
    path = tmp_path / "line.txt"
    path.write_text(f"\ufeff{TEXT}", "utf-8")
    assert [word["text"] for word in animate("--transcript", path)[1]["words"]] == TEXT.split()


def test_a_transcript_may_be_longer_than_names_of_files():
    assert read_transcript(f"{TEXT}\n" * 100) == f"{TEXT}\n" * 100


def test_without_a_transcript_there_are_phones_alone(animate):
    done, document = animate("--words")
    assert done.exit_code == 0, done.stderr
    assert document["words"] == []
    assert len(document["phones"]) > 30


def test_nothing_is_heard_that_nobody_wants(animate):
    assert animate()[1] is None


def test_the_text_of_another_sound_is_noted(animate):
    done, document = animate("--transcript", "quite another sentence that nobody has said in this recording")
    assert "does not fit the sound" in done.stderr
    assert document["words"] == []
    strict, _ = animate("--transcript", "quite another sentence that nobody has said in this recording", "--strict")
    assert strict.exit_code != 0


@pytest.mark.parametrize(
    ("given", "said"), [("nowhere.txt", "there is no transcript 'nowhere.txt'"), (" ... ", "holds no words")]
)
def test_transcripts_that_are_none_are_refused(animate, given, said):
    done, document = animate("--transcript", given)
    assert done.exit_code == 2
    assert said in done.stderr
    assert document is None


def test_a_transcript_that_is_no_text_is_refused(animate, tmp_path):
    path = tmp_path / "line.txt"
    path.write_bytes(b"\xff\xfe\xfa")
    done, _ = animate("--transcript", path)
    assert done.exit_code == 2
    assert "cannot be read as UTF-8 text" in done.stderr
