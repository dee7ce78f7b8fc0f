"""Words and phones survive the wire, also where there are none."""

from shared import protocol, wire
from shared.speech_messages import Said

WORDS = [Said("Grüße,", 0.25, 0.5, 0.75), Said("42", 0.5, 0.5, 0.0)]
PHONES = [Said("G", 0.25, 0.375, 1.0), Said("UE", 0.375, 0.5, 0.5)]


def test_what_is_said_arrives_as_it_was():
    sent = protocol.SpokenWords.of(WORDS, PHONES, job="j", sequence=3)
    got = wire.decode([bytes(part) for part in wire.encode(sent)])
    assert (got.job, got.sequence) == ("j", 3)
    assert got.said_words == WORDS
    assert got.said_phones == PHONES


def test_nothing_said_arrives_as_nothing():
    sent = protocol.SpokenWords.of([], [], job="j", sequence=2)
    got = wire.decode([bytes(part) for part in wire.encode(sent)])
    assert (got.said_words, got.said_phones) == ([], [])


def test_an_hour_of_fast_speech_fits_one_message():
    words = [Said("something", place / 4, place / 4 + 0.2, 0.5) for place in range(4 * 3600)]
    phones = [Said("AA", place / 16, place / 16 + 0.05, 0.5) for place in range(16 * 3600)]
    sent = protocol.SpokenWords.of(words, phones, job="j", sequence=2)
    got = wire.decode([bytes(part) for part in wire.encode(sent)])
    assert (got.said_words, got.said_phones) == (words, phones)
