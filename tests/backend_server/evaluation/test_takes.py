from functools import partial

import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation import takes
from backend_server.evaluation.baselines import loudness, static
from backend_server.evaluation.sounds import other_voice
from shared.errors import CorpusError


@pytest.fixture
def groups(corpus_folder):
    return takes.read_groups(Corpus(corpus_folder))


def test_people_never_trained_on_are_judged_apart(groups):
    who = {name: {take.clip.speaker for take in members} for name, members in groups.items()}
    assert who == {"train": {"a"}, "held-out sentences": {"a"}, "held-out people": {"b"}}
    assert list(takes.held_out(groups)) == ["held-out sentences", "held-out people"]


def test_a_corpus_that_holds_nothing_out_is_refused(corpus_folder):
    index = corpus_folder / "index.tsv"
    index.write_text(index.read_text().replace("\tval\t", "\ttrain\t"))
    with pytest.raises(CorpusError, match="held out"):
        takes.read_groups(Corpus(corpus_folder))


def test_a_motion_with_known_figures(groups, perfect, shifted):
    figures = takes.judge(partial(takes.animated, shifted), groups["held-out people"])
    assert figures.lips_lmd == pytest.approx(2, abs=1e-3)
    assert figures.all_lmd == pytest.approx(2 * 20 / 68, abs=1e-3)
    assert figures.velocity_error == pytest.approx(0, abs=1e-3)
    assert figures.opening_correlation == pytest.approx(1, abs=1e-3)
    assert figures.offset_frames == pytest.approx(0, abs=0.05)
    exact = takes.judge(partial(takes.animated, perfect), groups["held-out people"])
    assert exact.lips_lmd == pytest.approx(0, abs=1e-2)


def test_another_voice_is_judged_at_the_same_moments(groups, perfect):
    take = groups["train"][0]
    made = takes.animated(perfect, take, other_voice(1.25))
    assert made.shape == take.real.shape
    assert np.abs(made - take.real).max() < 3  # pixels; 18 at the widest


def test_a_still_face_and_a_jaw_by_loudness(groups, neutral):
    members = groups["held-out people"]
    still = takes.judge(static, members)
    assert (still.opening_amplitude, still.opening_correlation) == (0, 0)
    loud = takes.judge(loudness(neutral), members)
    assert loud.opening_correlation == pytest.approx(1, abs=1e-3)  # this corpus opens as loud as it speaks


def test_progress_reaches_its_end_whatever_the_groups(groups):
    told = []
    takes.judge_groups({"still": static}, groups, "motion", lambda *step: told.append(step))
    assert told[0] == ("motion", 0, 3)
    assert told[-1] == ("motion", 3, 3)
