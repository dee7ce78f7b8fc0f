from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.articulation.phones import BILABIALS, SPREAD, TimedPhone
from backend_server.evaluation import run
from backend_server.evaluation.motion import languages
from backend_server.evaluation.motion.languages import ENGLISH, MEAN, WORST
from backend_server.evaluation.motion.sentences import OTHER_LANGUAGES
from backend_server.evaluation.motion.spoken import Spoken, speak_languages
from backend_server.progress import silent
from shared.errors import SpeechFaceError

PHONES = [TimedPhone("B", 0.1, 0.3), TimedPhone("AO", 0.3, 0.7), TimedPhone("P", 0.7, 0.9), TimedPhone("IY", 0.9, 1.9)]


class LoudMouth:
    """Closes the lips for the first half second, and for good when the sound is not silent; is narrow until 0.8 s."""

    def __init__(self, neutral):
        self.neutral = neutral

    def animate(self, speech, sample_rate, frame_times, *, controls):
        canonical = np.repeat(self.neutral[None], len(frame_times), axis=0)
        canonical[:, 66, 1] += 0.3 * (frame_times > 0.5) * (not speech.any())
        canonical[:, 54, 0] = canonical[:, 48, 0] + np.where(frame_times < 0.8, 0.3, 0.6)
        return SimpleNamespace(canonical=canonical)


def spoken(level):
    return Spoken("voice", "bop i", np.full(2 * 16_000, level, np.float32), PHONES)


@pytest.fixture
def said():
    return {ENGLISH: [spoken(0.1)], "Closing": [spoken(0.1), spoken(0.1)], "Gaping": [spoken(0.0)]}


def test_each_language_has_figures_of_its_own(said, neutral):
    figures = languages.judge_languages(LoudMouth(neutral), said, silent)
    assert {name: one.bilabial_closure for name, one in figures.items()} == {
        ENGLISH: 1,
        "Closing": 1,
        "Gaping": 0.5,
    }
    assert [one.vowel_closure for one in figures.values()] == [1, 1, 0]
    assert all(one.rounding > 1 for one in figures.values())  # o is round, unlike in the English figures


def test_the_goals_are_of_all_languages_but_english(said, neutral):
    figures = languages.judge_languages(LoudMouth(neutral), said, silent)
    assert [goal.measured for goal in languages.goals(figures)] == [0.75, 0.5]
    assert [goal.outcome for goal in languages.goals({})] == ["–", "–"]
    assert languages.LanguageFigures.worst(languages.others(figures)).vowel_closure == 1


def test_the_section_has_a_row_a_language_with_mean_and_worst(corpus_folder, context_of, neutral, said, monkeypatch):
    monkeypatch.setattr(run, "speak_sentences", lambda progress: said[ENGLISH])
    monkeypatch.setattr(
        languages, "speak_languages", lambda progress: {name: said[name] for name in ("Closing", "Gaping")}
    )
    section = languages.run(context_of(corpus_folder, LoudMouth(neutral)))
    table = section.tables[0].document()
    assert list(table) == [ENGLISH, "Closing", "Gaping", MEAN, WORST]
    assert table["Closing"]["p, b, m said"] == "4"
    assert table[MEAN]["lips closed on p, b, m"] == 0.75
    assert table[WORST]["lips closed on p, b, m"] == 0.5
    assert table[WORST]["lips closed in mid-vowel"] == 1


def test_a_reason_stands_in_place_of_the_table(corpus_folder, context_of, monkeypatch):
    def mute(progress):
        raise SpeechFaceError("no espeak-ng")

    monkeypatch.setattr(run, "speak_sentences", mute)
    section = languages.run(context_of(corpus_folder))
    assert section.paragraphs == ("Not measured: no espeak-ng",)
    assert [goal.outcome for goal in section.goals] == ["–", "–"]


@pytest.mark.parametrize("language", OTHER_LANGUAGES, ids=lambda language: language.code)
def test_the_sentences_have_what_is_measured_in_every_language(language):
    pytest.importorskip("espeakng_loader")
    (said,) = speak_languages(silent, [language]).values()
    assert len(said) == 4 * 8
    names = [phone.name for one in said[:8] for phone in one.phones]
    assert sum(name in BILABIALS for name in names) >= 25
    assert sum(name in languages.ROUNDED_ELSEWHERE for name in names) >= 9
    assert sum(name in SPREAD for name in names) >= 9
    for one in said[:8]:
        for phone in one.phones:  # nothing that sounds counts as a pause
            if phone.name == "SIL" and 0.1 < phone.begin < phone.end - 0.1:
                begin, end = (int(16_000 * second) for second in (phone.begin + 0.05, phone.end - 0.02))
                assert np.abs(one.waveform[begin:end]).max() < 0.05, (one.text, phone)
