"""Measures words of real recordings: when they begin, whether a transcript fits, and what letters alone would give.

With `-m corpus --log-cli-level=INFO`, pytest shows the figures of docs/keys.md.
"""

import csv
import logging
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import CHARACTERS
from backend_server.speech.acoustic_model import CtcAcousticModel, gain_for
from backend_server.speech.decoding import BLANK, normalise_text
from backend_server.speech.listener import open_scorer
from backend_server.speech.recording import FileSound, listen
from backend_server.speech.spoken import SpokenListener

LOG = logging.getLogger(__name__)
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = [pytest.mark.corpus, pytest.mark.slow]


@pytest.fixture(scope="module")
def model() -> CtcAcousticModel:
    return open_scorer(WEIGHTS_DIR)


def rows(folder: str) -> list[dict[str, str]]:
    """The held-out recordings of a corpus; skips without it."""
    index = DATA / folder / "index.tsv"
    if not index.is_file():
        pytest.skip(f"{index} is not here")
    with index.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row for row in found if row["split"] == "val"]


def heard(model: CtcAcousticModel, path: Path) -> tuple[SpokenListener, np.ndarray]:
    """What was heard, and the probabilities of the letters, (U, 29)."""
    recording, listener, letters = listen(FileSound(path)), SpokenListener(model.features_per_second), []
    for hidden, scores in model.feature_and_score_blocks(recording.sound.blocks(), gain_for(recording.level)):
        listener.add(model.phone_probabilities(hidden), scores)
        letters.append(np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)))
    return listener, np.concatenate(letters)


def greedy_words(letters: np.ndarray) -> list[tuple[str, float]]:
    """The words that the likeliest letters spell, each with the probability of its least sure letter."""
    best = letters.argmax(1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    words, text, least = [], "", 1.0
    for start, end in pairwise([*starts, len(best)]):
        letter = best[start]
        if letter == 0 and text:
            words.append((text, least))
            text, least = "", 1.0
        elif letter not in (0, BLANK):
            text += CHARACTERS[letter]
            least = min(least, float(letters[start:end, letter].max()))
    return [*words, (text, least)] if text else words


def test_words_begin_when_the_people_of_grid_begin_them(model):
    errors = []
    for row in rows("grid"):
        said = heard(model, DATA / "grid" / row["speaker"] / row["file"])[0].spoken(row["text"])
        times = [part.partition(":") for part in row["word_times"].split()]
        begins = [float(span.partition("-")[0]) for name, _, span in times if name not in ("sil", "sp")]
        assert [word.text for word in said.words] == row["text"].split()
        errors += [abs(word.begin - begin) for word, begin in zip(said.words, begins, strict=True)]
    median, most = np.percentile(errors, (50, 90))
    LOG.info("%d words begin %.0f ms off in the median, 90 %% within %.0f ms", len(errors), 1e3 * median, 1e3 * most)
    assert median < 0.035
    assert most < 0.1


def test_transcripts_are_told_from_those_of_other_sounds(model):
    of_corpus: dict[str, list[tuple[SpokenListener, str]]] = {}
    for row in rows("speech"):
        if normalise_text(row["text"]):
            corpus = of_corpus.setdefault(row["file"].partition("/")[0], [])
            corpus.append((heard(model, DATA / "speech" / row["file"])[0], row["text"]))
    for corpus, items in of_corpus.items():
        kept = {0: [0, 0], 3: [0, 0]}  # words that are told, and all of them, of the own text and another's
        for number, (listener, _) in enumerate(items):
            for shift, counts in kept.items():
                text = items[(number + shift) % len(items)][1]
                counts[0] += len(listener.spoken(text).words)
                counts[1] += len(text.split())
        own, other = (told / every for told, every in kept.values())
        LOG.info("%s: %.3f of the words of its text are told, %.3f of another text", corpus, own, other)
        assert own > 0.9
        assert other < 0.1


def test_letters_alone_do_not_spell_words_surely_enough(model):
    """Once they do, words can be told without a transcript."""
    found: list[tuple[bool, float]] = []
    for row in rows("speech"):
        words = normalise_text(row["text"]).split()
        if not words:
            continue
        spelled = greedy_words(heard(model, DATA / "speech" / row["file"])[1])
        texts = [text for text, _ in spelled]
        right = np.zeros(len(texts), bool)
        for block in SequenceMatcher(None, words, texts, autojunk=False).get_matching_blocks():
            right[block.b : block.b + block.size] = True
        found += [(bool(is_right), least) for is_right, (_, least) in zip(right, spelled, strict=True)]
    right, least = map(np.array, zip(*found, strict=True))
    for bound in (0.5, 0.8, 0.9, 0.95, 0.98):
        sure = least > bound
        LOG.info("letters surer than %.2f: %d words, of which %.2f are right", bound, sure.sum(), right[sure].mean())
        assert right[sure].mean() < 0.9
