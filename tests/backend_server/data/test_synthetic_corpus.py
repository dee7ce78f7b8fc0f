"""Folders of synthetic speech: what is in them, and that a seed decides all of it."""

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from backend_server.commands.synthesize import synthesize
from backend_server.data.synthetic_corpus import SYLLABLES, invented_words, write_synthetic_corpus
from backend_server.data.synthetic_speech import synthesise
from backend_server.speech.audio import read_audio
from backend_server.speech.dataset import read_index
from shared.errors import Cancelled, CorpusError

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)
ROOT = Path(__file__).parents[3]
TEXTS = ["one two three four five"]
WRITE = """
from pathlib import Path
from sys import argv
from backend_server.data.synthetic_corpus import write_synthetic_corpus
write_synthetic_corpus(["one two three four five"], Path(argv[1]), hours=0.01, seed=1)
"""


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
def test_the_seed_decides_every_byte_whatever_was_said_before(tmp_path: Path):
    synthesise("Something else was said.", "de+klatt")
    write_synthetic_corpus(TEXTS, tmp_path / "here", hours=0.01, seed=1)
    command = [sys.executable, "-c", WRITE, str(tmp_path / "there")]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": os.defpath}, check=True)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    write_synthetic_corpus(TEXTS, tmp_path / "other", hours=0.01, seed=2)
    assert contents(tmp_path / "here") != contents(tmp_path / "other")


@pytest.mark.parametrize("language", SYLLABLES)
def test_invented_words_are_of_the_language(language: str):
    words = invented_words(language, 5, random.Random(0)).split()
    assert len(words) == 5
    assert not any("_" in word for word in words)


def test_nothing_is_written_without_english_sentences_or_when_the_work_is_stopped(tmp_path: Path):
    def stop(stage: str, step: int, steps: int) -> None:
        raise Cancelled

    (tmp_path / "index.tsv").write_text("file\tsplit\ttext\na.wav\tval\tyes\n")
    out = tmp_path / "results" / "out"
    with pytest.raises(CorpusError, match="no English sentence"):
        synthesize((tmp_path,), out, hours=0.01, seed=0, progress=stop)
    assert not out.parent.exists()
    (tmp_path / "index.tsv").write_text("file\ttext\na.wav\tyes\n")
    if importlib.util.find_spec("espeakng_loader"):
        with pytest.raises(Cancelled):
            synthesize((tmp_path,), out, hours=0.01, seed=0, progress=stop)
        assert not list(out.parent.iterdir())
