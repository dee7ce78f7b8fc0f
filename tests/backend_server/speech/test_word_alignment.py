"""Words of a transcript are found where their letters are heard, in sound of any length."""

import tracemalloc

import numpy as np
import pytest

from backend_server.config import CHARACTERS
from backend_server.speech.decoding import BLANK
from backend_server.speech.word_alignment import WINDOW, HeardWord, align_words
from shared.errors import Cancelled


def letters_of(heard: str) -> np.ndarray:
    """Logarithms sure of one character at each moment; "_" is the blank."""
    rows = np.full((len(heard), 29), np.log(0.1 / 28))
    for row, character in zip(rows, heard, strict=True):
        row[BLANK if character == "_" else CHARACTERS.index(character)] = np.log(0.9)
    return rows


def places(words):
    return [word and (word.first, word.end) for word in words]


def test_words_are_where_their_letters_are():
    found = align_words(letters_of("___hh_i___  bbob__"), ["hi", "bob"])
    assert places(found) == [(3, 7), (12, 16)]
    np.testing.assert_allclose([word.confidence for word in found], 0.9)


def test_a_word_that_nobody_says_is_hardly_sure():
    heard = "__hi____bob__lives here and sings"
    hi, nobody, bob, *_ = align_words(letters_of(heard), ["hi", "xyz", "bob", "lives", "here", "and", "sings"])
    assert places([hi, bob]) == [(2, 4), (8, 11)]
    assert nobody.confidence < 0.01
    assert bob.confidence > 0.89


def test_what_is_said_beside_the_transcript_is_passed_over():
    found = align_words(letters_of("hi_somebody else speaks here_bob"), ["hi", "bob"])
    assert places(found) == [(0, 2), (29, 32)]


def test_words_for_which_the_sound_ends_too_early_are_not_found():
    assert places(align_words(letters_of("_hi_"), ["hi", "somebody", "else"])) == [(1, 3), None, None]


def test_a_double_word_keeps_the_pieces_of_its_name_together():
    assert places(align_words(letters_of("_double___you_"), ["double you"])) == [(1, 13)]


def test_a_cancel_ends_the_search_between_two_windows():
    told = []

    def progress(stage, step, steps):
        told.append((stage, step, steps))
        if step > WINDOW:
            raise Cancelled

    words = ["anna"] * 300
    letters = letters_of("______anna__________" * 300)
    with pytest.raises(Cancelled):
        align_words(letters, words, progress)
    assert told[0] == ("words", 0, 6000)
    assert WINDOW < told[-1][1] < 3 * WINDOW


def test_an_hour_is_aligned_in_windows():
    names = ["anna", "otto", "emil", "ida", "uwe"]
    words = [names[(place * place) % 5] for place in range(6000)]
    heard = "".join(f"{word}{'_' * (15 + place % 7)}" for place, word in enumerate(words))
    heard = heard[:75_000] + "_" * 3 * WINDOW + heard[75_000:]  # nobody speaks for longer than a window
    letters = letters_of(heard).astype(np.float16)
    tracemalloc.start()
    found = align_words(letters, words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    where, expected = 0, []
    for word in words:
        where = heard.index(word, where)
        expected.append((where, where + len(word)))
        where += len(word)
    assert len(heard) > 41.67 * 2700
    assert places(found) == expected
    assert peak < 60e6
    assert isinstance(found[-1], HeardWord)
