"""Transcriptions become phones, and phones fill the time without gaps."""

import pytest

from backend_server.articulation.phones import CONSONANTS, PHONES, VOWELS, TimedPhone, phones_of_ipa, timed_phones


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("ɡˈʊd mˈɔːɹnɪŋ", "G UH D M AO R N IH NG"),
        ("dʒˈɔɪ tʃˈɔɪs vˈɪʒən", "JH OY CH OY S V IH ZH AH N"),
        ("ʃˈøːnə fˈyːsə", "SH UE N AH F UE S AH"),
        ("œ̃ bˈɔ̃ vˈɛ̃", "UE B AO V EH"),
        ("m_ˌeː_ɾ_aː", "M EY D AA"),
        ("häɕˈi ɲũ ɯᵝ", "HH AA SH IY N UW UH"),  # letters with their dots or tilde in one character
        ("ç", "HH"),  # has a phone of its own; is not c with something below
        ("aβa cˈʌɟ ʕaɴ ts.i.", "AA V AA CH AH JH HH AA NG T SH IH"),
        ("", ""),
        ("_ˈː2", ""),
    ],
)
def test_a_transcription_is_read(ipa: str, phones: str):
    assert phones_of_ipa(ipa) == tuple(phones.split())


def test_there_are_39_phones_of_english_silence_and_one_more():
    assert len(PHONES) == len(set(PHONES)) == 41
    assert len(CONSONANTS) == 24
    assert len(VOWELS) == 16


def test_a_gap_too_short_to_rest_in_belongs_to_the_phone_before():
    events = [(0.1, ("B",)), (0.2, ()), (0.25, ("AO",)), (0.4, ()), (0.5, ("M",))]
    assert timed_phones(events, 0.6) == (
        TimedPhone("SIL", 0.0, 0.1),
        TimedPhone("B", 0.1, 0.25),
        TimedPhone("AO", 0.25, 0.4),
        TimedPhone("SIL", 0.4, 0.5),
        TimedPhone("M", 0.5, 0.6),
    )


def test_phones_fill_the_time_and_pauses_melt_together():
    events = [(0.1, ("B",)), (0.2, ("AO", "R")), (0.4, ()), (0.5, ()), (0.6, ("M",))]
    assert timed_phones(events, 0.7) == (
        TimedPhone("SIL", 0.0, 0.1),
        TimedPhone("B", 0.1, 0.2),
        TimedPhone("AO", 0.2, pytest.approx(0.3)),
        TimedPhone("R", pytest.approx(0.3), pytest.approx(0.4)),
        TimedPhone("SIL", 0.4, 0.6),
        TimedPhone("M", 0.6, 0.7),
    )


def test_events_beyond_the_sound_and_of_no_length_are_left_out():
    assert timed_phones([(0.0, ("B",)), (0.0, ("P",)), (2.0, ("M",))], 1.0) == (TimedPhone("P", 0.0, 1.0),)
