from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.evaluation.articulation import ALL, GATED, articulate, articulation_section
from backend_server.evaluation.spoken import PAUSE_SECONDS, VOICES, Spoken, speak_sentences
from backend_server.progress import silent


class Mumbler:
    """Opens the mouth wide and closes it for the first half of every second; rests when told to be silent."""

    def __init__(self, neutral):
        self.neutral = neutral

    def animate(self, speech, sample_rate, frame_times, *, controls):
        canonical = np.repeat(self.neutral[None], len(frame_times), axis=0)
        canonical[:, 66, 1] += 0.3 * (frame_times % 1 >= 0.5) * (1 - controls.silence)
        return SimpleNamespace(canonical=canonical)


def test_lips_that_close_for_one_of_two_bilabials(neutral):
    phones = [
        TimedPhone("B", 0.1, 0.3),
        TimedPhone("AA", 0.3, 1.6),
        TimedPhone("M", 1.6, 1.8),
        TimedPhone(SILENCE, 1.8, 4.0),
    ]
    sound = np.zeros(4 * 16_000, np.float32)
    spoken = [Spoken("low", "bam", sound, phones), Spoken("high", "bam", sound, phones)]
    figures = articulate(Mumbler(neutral), spoken, [Spoken("books", "am", sound, phones[1:])], silent)
    assert list(figures) == ["low", "high", "recorded, books", ALL, GATED]
    assert figures["recorded, books"].bilabial_closure == 0
    assert figures[ALL].bilabial_closure == pytest.approx(0.5)
    assert figures[ALL].pause_closure == pytest.approx(0.5, abs=0.1)
    assert figures[GATED].pause_closure == 1
    rows = dict(articulation_section(figures).tables[0].rows)
    assert rows["low"][0] == pytest.approx(0.5)


def test_a_reason_stands_in_place_of_the_table():
    assert articulation_section({}, "no espeak-ng").paragraphs == ("Not measured: no espeak-ng",)


def test_sentences_are_spoken_between_pauses_by_every_voice():
    pytest.importorskip("espeakng_loader")
    spoken = speak_sentences(silent, ["Hop over."])
    assert [one.voice for one in spoken] == list(VOICES)
    for one in spoken:
        assert one.phones[0].name == one.phones[-1].name == SILENCE
        assert one.phones[0].end >= PAUSE_SECONDS
        assert [p.begin for p in one.phones[1:]] == pytest.approx([p.end for p in one.phones[:-1]])
        assert one.phones[-1].end == pytest.approx(len(one.waveform) / 16_000, abs=0.01)
        assert "P" in [p.name for p in one.phones]
        assert np.abs(one.waveform[: int(PAUSE_SECONDS * 16_000)]).max() == 0
