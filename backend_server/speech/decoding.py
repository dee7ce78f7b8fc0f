"""Turns text into class numbers and scores into text, and measures how wrong that text is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CHARACTERS

BLANK = len(CHARACTERS)  # 28
_CLASS = {character: index for index, character in enumerate(CHARACTERS)}
_ALWAYS_WORDS = frozenset("aio")  # single letters that are words of English on their own
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAMES = "ay,bee,see,dee,ee,ef,gee,aitch,eye,jay,kay,el,em,en,oh,pee,cue,ar,ess,tee,you,vee,double you,ex,why,zee"
_LETTER_NAMES = dict(zip(_LETTERS, _NAMES.split(","), strict=True))


def normalise_text(text: str) -> str:
    """The words of a text in the 28 characters the model knows; empty when some need others.

    Case, accents and punctuation are dropped. A text with digits or another alphabet gives "". Spelled letters become
    their names ("m o r e" is "em oh ar ee"): what is heard, and what the lips do, is the name.
    """
    words = _plain_words(text)
    return "" if words is None else " ".join(_spell(words))


def normalise_words(text: str) -> list[tuple[str, str]]:
    """Each word of a text, as it is written, with what `normalise_text` makes of it in its place."""
    written = [word for word in text.split() if any(map(str.isalnum, word))]
    plain = [_plain_words(word) or [] for word in written]
    spelled = iter(_spell([part for parts in plain for part in parts]))
    return [(word, " ".join(next(spelled) for _ in parts)) for word, parts in zip(written, plain, strict=True)]


def _plain_words(text: str) -> list[str] | None:
    """The words of a text in the model's characters; None when some need others."""
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'")).lower()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    if any(c.isalnum() and c not in _CLASS for c in plain):
        return None
    return [word for part in re.sub(r"[^a-z']+", " ", plain).split() if (word := part.strip("'"))]


def _spell(words: Sequence[str]) -> list[str]:
    """Words with spelled letters replaced by their names; "a", "i" and "o" only beside another spelled letter."""
    single = [len(word) == 1 for word in words]
    certain = [one and word not in _ALWAYS_WORDS for one, word in zip(single, words, strict=True)]
    spelled = []
    for index, word in enumerate(words):
        beside = any(certain[max(0, index - 1) : index + 2])
        spelled.append(_LETTER_NAMES[word] if single[index] and beside else word)
    return spelled


def encode_text(text: str) -> NDArray[np.int64]:
    """Class numbers (L,) of a text that `normalise_text` returned."""
    return np.array([_CLASS[character] for character in text], dtype=np.int64)


def decode_greedy(scores: NDArray[np.float32]) -> str:
    """The text of the best class at each moment: repeats merged, blanks dropped (scores (U, 29))."""
    best = scores.argmax(axis=1)
    first = np.concatenate([[True], best[1:] != best[:-1]]) if len(best) else np.zeros(0, bool)
    return "".join(CHARACTERS[index] for index in best[first] if index != BLANK).strip()


def edit_distance(one: Sequence[object], other: Sequence[object]) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for index, item in enumerate(one, 1):
        diagonal, row[0] = row[0], index
        for column, match in enumerate(other, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (item != match))
    return row[-1]


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """CER: edit distances of all pairs over the length of all references; 0 is perfect, above 1 is possible."""
    errors = sum(edit_distance(r, h) for r, h in zip(references, hypotheses, strict=True))
    return errors / max(sum(len(reference) for reference in references), 1)
