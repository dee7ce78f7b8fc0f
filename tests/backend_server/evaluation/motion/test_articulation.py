from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.evaluation import run
from backend_server.evaluation.motion import articulation
from backend_server.evaluation.motion.articulation import ALL, GATED, articulate
from backend_server.evaluation.motion.spoken import PAUSE_SECONDS, VOICES, Spoken, speak_sentences
from backend_server.progress import silent
from shared.errors import SpeechFaceError


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


def test_a_reason_stands_in_place_of_the_table(corpus_folder, context_of, monkeypatch):
    def mute(progress):
        raise SpeechFaceError("no espeak-ng")

    monkeypatch.setattr(run, "speak_sentences", mute)
    section = articulation.run(context_of(corpus_folder))
    assert section.paragraphs == ("Not measured: no espeak-ng",)
    assert [goal.outcome for goal in section.goals] == ["–"]


def test_what_only_our_own_acoustic_model_scores_is_said_to_be_missing(
    corpus_folder, context_of, neutral, own_weights, monkeypatch
):
    spoken = [Spoken("low", "am", np.zeros(32_000, np.float32), [TimedPhone("M", 0.1, 0.3), TimedPhone("A", 0.3, 2)])]
    monkeypatch.setattr(run, "speak_sentences", lambda progress: spoken)
    context = context_of(corpus_folder, Mumbler(neutral), speech=corpus_folder, weights=own_weights)
    section = articulation.run(context)
    assert dict(section.tables[0].rows)["low"][0] == 1
    assert section.goals[0].measured == 1
    assert "Recorded sentences are not measured: phones and characters are scored" in section.paragraphs[-1]


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
