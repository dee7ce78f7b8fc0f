"""Text to classes, scores to text, and the error between texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_server.config import CHARACTERS
from backend_server.speech.decoding import (
    BLANK,
    character_error_rate,
    decode_greedy,
    edit_distance,
    encode_text,
    normalise_text,
    normalise_words,
)


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(29, dtype=np.float32)[classes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is OVER, he said.", "it is over he said"),
        ("Caf\u00e9 \u2019tis don\u2019t", "cafe tis don't"),
        ("M O R E", "em oh ar ee"),
        ("a man and I", "a man and i"),
        ("bin blue at f two now", "bin blue at ef two now"),
        ("in 1984", ""),
        ("\u043f\u0440\u0438\u0432\u0435\u0442", ""),
        ("...", ""),
    ],
)
def test_normalised_text(text: str, expected: str):
    assert normalise_text(text) == expected


def test_the_words_of_a_text_keep_how_they_are_written():
    text = "Well-known \u2014 M O caf\u00e9, 42nd a ..."
    assert normalise_words(text) == [
        *(("Well-known", "well known"), ("M", "em"), ("O", "oh"), ("caf\u00e9,", "cafe"), ("42nd", ""), ("a", "a")),
    ]


def test_there_is_a_class_for_every_character_and_the_blank():
    assert encode_text(" az'").tolist() == [0, 1, 26, 27]
    assert len(CHARACTERS) == BLANK == 28


def test_greedy_decoding_merges_repeats_and_keeps_what_a_blank_parts():
    b, e = encode_text("be")
    assert decode_greedy(one_hot([BLANK, b, b, BLANK, e, e, BLANK, e])) == "bee"
    assert decode_greedy(np.zeros((0, 29), np.float32)) == ""


@given(st.text(CHARACTERS.strip(), min_size=1))
def test_decoding_inverts_encoding(text: str):
    classes = [index for character in encode_text(text) for index in (character, BLANK)]
    assert decode_greedy(one_hot(classes)) == text


def test_edit_distance_and_error_rate_by_hand():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert character_error_rate(["abcd", "xy"], ["abed", "xyz"]) == pytest.approx(2 / 6)


@given(st.text("ab", max_size=6), st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_edit_distance_is_a_distance(a: str, b: str, c: str):
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
