"""Phones and the words of a transcript, with their times, from what the acoustic model hears."""

import numpy as np
import pytest

from backend_server.articulation.phones import PHONES
from backend_server.config import CHARACTERS
from backend_server.speech.decoding import BLANK
from backend_server.speech.spoken import SpokenListener
from shared.notes import NoteCode

RATE = 50.0


def listened(phones: str, letters: str, part=7) -> SpokenListener:
    """A listener that was told of one phone ("." for silence, "_" for the blank) and one letter at each moment."""
    names = phones.split()
    likely = np.full((len(names), len(PHONES) + 1), 0.1 / len(PHONES), np.float32)
    for row, name in zip(likely, names, strict=True):
        row[{".": 0, "_": -1}.get(name) if name in "._" else PHONES.index(name)] = 0.9
    scores = np.zeros((len(letters), 29), np.float32)
    for row, character in zip(scores, letters, strict=True):
        row[BLANK if character == "_" else CHARACTERS.index(character)] = 6.0
    listener = SpokenListener(RATE)
    for first in range(0, len(names), part):
        listener.add(likely[first : first + part], scores[first : first + part])
    return listener


# "hi bob": the letters come three moments after the phones, as ours do
HI_BOB = (
    ". . HH HH AY AY AY . . . . . B B AA AA B B . . . . . . .",
    "_____hhii_____  bbooobb__",
)


@pytest.mark.parametrize("part", [1, 7, 100])
def test_phones_have_the_times_of_their_moments_however_they_come(part):
    phones = listened(*HI_BOB, part).spoken("").phones
    found = [(phone.text, round(phone.begin, 3), round(phone.end, 3)) for phone in phones]
    assert found == [
        *(("HH", 0.03, 0.07), ("AY", 0.07, 0.13), ("B", 0.23, 0.27), ("AA", 0.27, 0.31), ("B", 0.31, 0.35)),
    ]
    assert phones[0].confidence == pytest.approx(0.9)


def test_a_phone_that_is_not_sure_is_left_out():
    listener = SpokenListener(RATE)
    likely = np.zeros((4, len(PHONES) + 1), np.float32)
    likely[:, PHONES.index("M")] = (0.9, 0.9, 0.0, 0.0)
    likely[:, PHONES.index("S")] = (0.0, 0.0, 0.45, 0.45)
    listener.add(likely, np.zeros((4, 29), np.float32))
    assert [phone.text for phone in listener.spoken("").phones] == ["M"]


def test_silence_that_sounds_like_a_stop_does_not_make_it_long():
    listener = listened(" ".join(["B"] * 40 + ["AA"] * 5), "_" * 45)
    stop, vowel = listener.spoken("").phones
    assert (stop.begin, stop.end) == pytest.approx((0.67, 0.79))
    assert vowel.begin == pytest.approx(0.79)


def test_words_begin_and_end_with_their_phones():
    spoken = listened(*HI_BOB).spoken("Hi, Bob!")
    assert [word.text for word in spoken.words] == ["Hi,", "Bob!"]
    assert [(word.begin, word.end) for word in spoken.words] == [
        pytest.approx((0.03, 0.13)),
        pytest.approx((0.23, 0.35)),
    ]
    assert all(word.confidence > 0.9 for word in spoken.words)
    assert spoken.notes == ()


def test_without_a_transcript_there_are_no_words():
    spoken = listened(*HI_BOB).spoken("  ... ")
    assert spoken.words == ()
    assert len(spoken.phones) == 5


def test_a_word_without_letters_stands_between_its_neighbours_and_is_named():
    phones = ". . HH HH AY AY AY . . . . . T T UW UW UW . . . . . . B B AA AA B B . . . . . . ."
    letters = "_____hhii_________________  bbooobb_"
    spoken = listened(phones, letters).spoken("Hi 2 Bob")
    hi, two, bob = spoken.words
    assert (two.text, two.confidence) == ("2", 0.0)
    assert (two.begin, two.end) == pytest.approx((0.23, 0.33))
    assert hi.end < two.begin < two.end < bob.begin
    (note,) = spoken.notes
    assert note.code == NoteCode.UNKNOWN_LETTERS
    assert "1 of 3 words" in note.sentence
    assert "'2'" in note.sentence


def test_a_transcript_in_another_alphabet_has_no_words_and_says_so():
    spoken = listened(*HI_BOB).spoken("\u043f\u0440\u0438\u0432\u0435\u0442 \u0411\u043e\u0431")
    assert spoken.words == ()
    assert [note.code for note in spoken.notes] == [NoteCode.UNKNOWN_LETTERS]


def test_the_transcript_of_another_sound_is_noticed_and_not_spread():
    spoken = listened(*HI_BOB).spoken("quite wrong")
    assert spoken.words == ()
    (note,) = spoken.notes
    assert note.code == NoteCode.OTHER_TRANSCRIPT
    assert "does not fit the sound" in note.sentence


def test_the_part_of_a_transcript_that_is_not_said_is_left_out_alone():
    said = "anna otto emil ida uwe gabi nina paul rosa toni"
    letters = "".join(f"{word}____" for word in said.split())
    spoken = listened(" ".join(["_"] * len(letters)), letters).spoken(f"{said} {'quick brown fox jumps ' * 5}")
    assert [word.text for word in spoken.words] == said.split()
    (note,) = spoken.notes
    assert "20 of 30 words" in note.sentence
    assert "'quick'" in note.sentence


def test_an_acoustic_model_without_letters_is_named():
    spoken = SpokenListener(RATE).spoken("hi")
    assert (spoken.words, spoken.phones) == ((), ())
    assert [note.code for note in spoken.notes] == [NoteCode.NO_LETTERS]
