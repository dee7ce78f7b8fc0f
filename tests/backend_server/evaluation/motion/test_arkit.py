from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation.held_out import PEOPLE
from backend_server.evaluation.motion import arkit
from shared.arkit import SHAPES

JAW, PUCKER = SHAPES.index("jawOpen"), SHAPES.index("mouthPucker")


def shapes(displacements, neutral=None):
    """A jaw that opens as the lower lip sinks."""
    made = np.zeros((len(displacements), 52), np.float32)
    made[:, JAW] = 4 * displacements[:, 66, 1]
    return made


class Listening:
    """Makes the very jaw of the corpus from landmarks, and its mirror image from the sound.

    Args:
        jaw: shapes (T, 52) by the length and the sum of a waveform.
    """

    def __init__(self, jaw: dict[tuple[int, float], np.ndarray]) -> None:
        self.jaw = jaw

    def animate(self, speech, sample_rate, frame_times, *, blink):
        assert not blink
        return SimpleNamespace(arkit=0.8 - self.jaw[len(speech), float(speech.sum())])

    arkit_shapes = staticmethod(shapes)


@pytest.fixture
def scored(corpus_folder, neutral):
    """The corpus with a tracker's scores, and a cascade that knows them."""
    cascade = Listening({})
    for clip in Corpus(corpus_folder).clips():
        made = shapes(clip.landmarks().canonical - neutral)
        waveform = clip.waveform()
        cascade.jaw[len(waveform), float(waveform.sum())] = made
        made = 0.1 + 0.5 * made
        np.savez(clip.folder / "arkit.npz", names=SHAPES, weights=made)
    return cascade


def test_shapes_are_judged_by_group_and_goals_on_people_from_the_sound(scored, corpus_folder, context_of):
    section = arkit.run(context_of(corpus_folder, scored))
    rows = section.tables[0].document()
    assert set(rows) == {
        f"held-out {who}, {way}" for who in ("sentences", "people") for way in (arkit.SOUND, arkit.REAL)
    }
    assert rows[f"{PEOPLE}, {arkit.REAL}"]["jawOpen"] == pytest.approx(1, abs=1e-3)
    assert rows[f"{PEOPLE}, {arkit.SOUND}"]["jawOpen"] == pytest.approx(-1, abs=1e-3)
    assert rows[f"{PEOPLE}, {arkit.REAL}"]["mouthPucker"] is None
    assert [goal.name.split()[0] for goal in section.goals] == ["jawOpen", "mouthClose", "mouthPucker", "mouthFunnel"]
    assert section.goals[0].measured == pytest.approx(-1, abs=1e-3)
    assert section.goals[1].outcome == "–"


def test_several_people_have_rows_of_their_own(scored, corpus_folder, context_of):
    context = context_of(corpus_folder, scored)
    clips = Corpus(corpus_folder).clips()
    examples = {"everybody": arkit.arkit_examples(clips, context.corpus.neutral_canonical)}
    figures = arkit.judge_people(arkit.seen(context), examples, arkit.REAL, context)
    assert list(figures) == ["everybody", "a", "b"]


def test_a_corpus_without_scores_is_not_measured(corpus_folder, context_of, scored):
    (corpus_folder / "b" / "1" / "arkit.npz").unlink()
    section = arkit.run(context_of(corpus_folder, scored))
    assert not section.tables
    assert "prepare the corpus again" in section.paragraphs[0]
