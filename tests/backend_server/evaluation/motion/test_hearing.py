import re

import numpy as np
import pytest
import soundfile

from backend_server.config import CHARACTERS
from backend_server.evaluation import run
from backend_server.evaluation.motion import hearing
from backend_server.evaluation.motion.sounds import CLEAN, white_noise
from backend_server.evaluation.motion.spoken import Spoken
from backend_server.progress import silent


class Speller:
    """Reads the character whose number in tenths is the loudness of each fifth of a second; noise confuses it."""

    def scores(self, waveform):
        scores = np.zeros((2 * len(waveform) // 3200, 29), np.float32)
        scores[:, 28] = 1  # blank
        for place, part in enumerate(waveform.reshape(-1, 3200)):
            scores[2 * place, int(np.rint(np.abs(part).mean() * 100)) % 28] = 2
        return scores


def say(text):
    return np.repeat([CHARACTERS.index(c) / 100 for c in text], 3200).astype(np.float32)


def test_clean_sentences_are_read_and_noise_costs_characters():
    sentences = [hearing.Sentence("one", say("bin blue"), "bin blue"), hearing.Sentence("two", say("set"), "sat")]
    rates = hearing.error_rates(Speller(), sentences, [CLEAN, white_noise(10.0)], silent)
    assert rates["one"][0] == 0
    assert rates["two"][0] == pytest.approx(1 / 3)
    assert rates["one"][1] > 0.5


def test_val_is_judged_and_test_where_there_is_no_val(tmp_path):
    rows = [
        ("a", "val", "one"),
        ("a", "test", "two"),
        ("a", "train", "three"),
        ("b", "test", "four"),
        ("c", "train", "five"),
    ]
    lines = ["file\tsplit\ttext"]
    for corpus, split, text in rows:
        file = tmp_path / corpus / "person" / f"{text}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, say(text), 16_000)
        lines.append(f"{file.relative_to(tmp_path)}\t{split}\t{text}")
    (tmp_path / "index.tsv").write_text("\n".join(lines) + "\n")
    assert [(one.group, one.text) for one in hearing.transcribed(tmp_path)] == [("a", "one"), ("b", "four")]


def test_without_speech_or_scores_the_report_says_so(corpus_folder, context_of, own_weights):
    section = hearing.run(context_of(corpus_folder))
    assert "--speech" in section.paragraphs[0]
    assert section.tables == ()
    section = hearing.run(context_of(corpus_folder, speech=corpus_folder, weights=own_weights))
    assert "Not measured: phones and characters are scored by speech.safetensors alone" in section.paragraphs[0]


def test_speech_corpus_and_voices_each_have_rows(corpus_folder, context_of, monkeypatch):
    monkeypatch.setattr(hearing, "open_scorer", lambda weights, device: Speller())
    monkeypatch.setattr(run, "speak_sentences", lambda progress: [Spoken("low", "bin blue", say("bin blue"), [])])
    index = corpus_folder / "index.tsv"
    index.write_text(re.sub(r" <\d>", "", index.read_text()))
    section = hearing.run(context_of(corpus_folder, speech=corpus_folder))
    tables = {table.title: table.document() for table in section.tables}
    assert tables[hearing.BY_VOICE]["low"]["clean"] == 0
    (rates,) = tables[hearing.BY_CORPUS].values()
    assert set(rates) == set(hearing.COLUMNS)
