from dataclasses import fields
from functools import partial

import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation.held_out import read_groups
from backend_server.evaluation.motion import accuracy
from backend_server.evaluation.motion.accuracy import loudness, static
from backend_server.evaluation.motion.sounds import other_voice
from backend_server.metrics.motion import MotionFigures


@pytest.fixture
def groups(corpus_folder):
    return read_groups(Corpus(corpus_folder))


def test_a_motion_with_known_figures(groups, perfect, shifted):
    figures = accuracy.judge(partial(accuracy.animated, shifted), groups["held-out people"])
    assert figures.lips_lmd == pytest.approx(2, abs=1e-3)
    assert figures.all_lmd == pytest.approx(2 * 20 / 68, abs=1e-3)
    assert figures.velocity_error == pytest.approx(0, abs=1e-3)
    assert figures.opening_correlation == pytest.approx(1, abs=1e-3)
    assert figures.offset_frames == pytest.approx(0, abs=0.05)
    exact = accuracy.judge(partial(accuracy.animated, perfect), groups["held-out people"])
    assert exact.lips_lmd == pytest.approx(0, abs=1e-2)


def test_another_voice_is_judged_at_the_same_moments(groups, perfect):
    take = groups["train"][0]
    made = accuracy.animated(perfect, take, other_voice(1.25))
    assert made.shape == take.real.shape
    assert np.abs(made - take.real).max() < 3  # pixels; 18 at the widest


def test_a_still_face_and_a_jaw_by_loudness(groups, neutral):
    members = groups["held-out people"]
    still = accuracy.judge(static, members)
    assert (still.opening_amplitude, still.opening_correlation) == (0, 0)
    loud = accuracy.judge(loudness(neutral), members)
    assert loud.opening_correlation == pytest.approx(1, abs=1e-3)  # this corpus opens as loud as it speaks


def test_progress_reaches_its_end_whatever_the_groups(groups):
    told = []
    accuracy.judge_groups({"still": static}, groups, "motion", lambda *step: told.append(step))
    assert told[0] == ("motion", 0, 3)
    assert told[-1] == ("motion", 3, 3)


def figures(**known):
    return MotionFigures(**{field.name: known.get(field.name, 0.0) for field in fields(MotionFigures)})


def test_the_goals_of_people_never_trained_on_are_their_own():
    ours = {
        "held-out people": figures(opening_correlation=0.91, width_correlation=0.77, lips_lmd=1.25),
        "train": figures(),
    }
    goals = accuracy.goals(ours)
    assert [goal.is_reached for goal in goals] == [True, False, True]
    assert all("held-out people" in goal.name for goal in goals)


def test_the_section_has_every_clip_of_the_people_held_out(corpus_folder, context_of, shifted, tmp_path):
    section = accuracy.run(context_of(corpus_folder, shifted))
    tables = {table.title: table.document() for table in section.tables}
    assert next(iter(tables)) == accuracy.BY_PERSON
    assert tables[accuracy.BY_PERSON]["held-out people, b"]["spread of the opening"] == pytest.approx(1, abs=1e-3)
    assert [goal.is_reached for goal in section.goals if "spread" in goal.name] == [True, True, True]
    assert list(tables[accuracy.CLIP_BY_CLIP]) == ["b 0", "b 1"]
    assert tables[accuracy.CLIP_BY_CLIP]["b 1"]["lip landmarks LMD, px"] == pytest.approx(2, abs=1e-3)
    people = tables["Motion, held-out people (b; 2 clips)"]
    assert set(people) == {"ours", "static, neutral", "jaw by loudness"}
    assert len(accuracy.COLUMNS) == len(fields(MotionFigures))
    assert all((tmp_path / picture.file).stat().st_size > 1000 for picture in section.pictures)
