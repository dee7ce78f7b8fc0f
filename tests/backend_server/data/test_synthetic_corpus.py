"""Folders of synthetic speech: what is in them, and that the times of phones survive a codec."""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from backend_server.data.flite_speech import synthesise_flite

from backend_server.commands.synthesize import synthesize
from backend_server.data.synthetic_corpus import SYLLABLES, invented_words, write_synthetic_corpus
from backend_server.data.synthetic_speech import synthesise
from backend_server.progress import silent
from backend_server.speech.audio import read_audio
from backend_server.speech.codecs import CODECS, through_codec
from backend_server.speech.dataset import read_index
from shared.errors import Cancelled, CorpusError, SpeechFaceError

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)
ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "backend_server" / "samples" / "speech.wav"
TEXTS = ["one two three four five"]
WRITE = """
from pathlib import Path
from sys import argv
from backend_server.data.synthetic_corpus import write_synthetic_corpus
write_synthetic_corpus(["one two three four five"], Path(argv[1]), hours=0.01, seed=1)
"""
FLITE = """#!{python}
import sys, wave
with wave.open(sys.argv[sys.argv.index("-o") + 1], "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", ""))
    file.writeframes(bytes(16000))
print("pau:0.1 w:0.2 ax:0.3 pau:0.5")
"""


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def flite_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program `flite` that says the same half second to every text."""
    program = tmp_path / "programs" / "flite"
    program.parent.mkdir()
    program.write_text(FLITE.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


needs_scripts = pytest.mark.skipif(sys.platform == "win32", reason="Windows starts no scripts by their first line")


@needs_espeak
def test_a_synthetic_corpus_can_be_trained_on(tmp_path: Path):
    count = write_synthetic_corpus(TEXTS, tmp_path, hours=0.02, seed=1)
    utterances = read_index(tmp_path)
    assert len(utterances) == count > 10
    assert all(utterance.text in "one two three four five" for utterance in utterances)
    assert any(utterance.text == "" for utterance in utterances), "none speaks another language"
    for utterance in utterances:
        clip = read_audio(utterance.path)
        assert clip.sample_rate == 16000
        assert 0.0 == utterance.phones[0][1] < utterance.phones[-1][1] < clip.seconds


@needs_espeak
@needs_scripts
@pytest.mark.usefixtures("flite_on_path")
def test_the_seed_decides_every_byte_whatever_was_said_before_and_whatever_is_installed(tmp_path: Path):
    synthesise("Something else was said.", "de+klatt")
    write_synthetic_corpus(TEXTS, tmp_path / "here", hours=0.01, seed=1)
    command = [sys.executable, "-c", WRITE, str(tmp_path / "there")]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": os.defpath}, check=True)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    write_synthetic_corpus(TEXTS, tmp_path / "other", hours=0.01, seed=2)
    assert contents(tmp_path / "here") != contents(tmp_path / "other")


@needs_espeak
@needs_scripts
@pytest.mark.usefixtures("flite_on_path")
@pytest.mark.parametrize("with_flite", [False, True])
def test_flite_speaks_where_it_is_asked_for_and_nowhere_else(tmp_path: Path, with_flite: bool):
    (tmp_path / "index.tsv").write_text("file\ttext\na.wav\tone two three\n")
    synthesize((tmp_path,), tmp_path / "out", hours=0.01, seed=0, with_flite=with_flite, progress=silent)
    speakers = [line.split("\t")[2] for line in (tmp_path / "out" / "index.tsv").read_text().splitlines()[1:]]
    assert any(speaker.startswith("flite-") for speaker in speakers) == with_flite
    phones = [[name for name, _ in one.phones] for one in read_index(tmp_path / "out")]
    assert (["SIL", "W", "AH", "SIL"] in phones) == with_flite


def test_flite_that_is_asked_for_but_missing_ends_the_work_before_it_begins(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "index.tsv").write_text("file\ttext\na.wav\tone two three\n")
    with pytest.raises(SpeechFaceError, match="flite is not installed; install the package flite, or leave --flite"):
        synthesize((tmp_path,), tmp_path / "out", hours=0.01, seed=0, with_flite=True, progress=silent)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("language", SYLLABLES)
def test_invented_words_are_of_the_language(language: str):
    words = invented_words(language, 5, random.Random(0)).split()
    assert len(words) == 5
    assert not any("_" in word for word in words)


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_changes_the_sound_and_not_its_timing(name: str):
    waveform = read_audio(SAMPLE).samples
    coded = through_codec(waveform, name)
    assert coded.shape == waveform.shape
    span, reach = slice(8000, 40000), 400
    likeness = [np.dot(waveform[span], coded[8000 + lag : 40000 + lag]) for lag in range(-reach, reach, 4)]
    assert abs(4 * int(np.argmax(likeness)) - reach) <= 80  # 5 ms
    assert not np.allclose(coded, waveform, atol=1e-3)


@pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed")
def test_flite_says_when_each_phone_begins():
    speech = synthesise_flite("Far. Pooh.", "slt")
    assert [p.name for p in speech.phones if p.name != "SIL"] == ["F", "AA", "R", "P", "UW"]
    loudness = {}
    for phone in speech.phones:
        begin, end = (int(t * speech.clip.sample_rate) for t in (phone.begin, phone.end))
        loudness[phone.name] = np.abs(speech.clip.samples[begin:end]).mean()
    assert loudness["AA"] > 10 * loudness["SIL"]
    assert speech.phones[-1].end == speech.clip.seconds


def test_nothing_is_written_without_english_sentences_or_when_the_work_is_stopped(tmp_path: Path):
    def stop(stage: str, step: int, steps: int) -> None:
        raise Cancelled

    (tmp_path / "index.tsv").write_text("file\tsplit\ttext\na.wav\tval\tyes\n")
    out = tmp_path / "results" / "out"
    with pytest.raises(CorpusError, match="no English sentence"):
        synthesize((tmp_path,), out, hours=0.01, seed=0, with_flite=False, progress=stop)
    assert not out.parent.exists()
    (tmp_path / "index.tsv").write_text("file\ttext\na.wav\tyes\n")
    if importlib.util.find_spec("espeakng_loader"):
        with pytest.raises(Cancelled):
            synthesize((tmp_path,), out, hours=0.01, seed=0, with_flite=False, progress=stop)
        assert not list(out.parent.iterdir())
