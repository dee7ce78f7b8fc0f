import numpy as np
import pytest

from backend_server.evaluation.motion import people
from backend_server.evaluation.motion.accuracy import animated, static
from backend_server.evaluation.motion.people import PersonFigures


@pytest.fixture
def everybody(corpus_folder, context_of):
    return people.people_of(context_of(corpus_folder).held_out)


def test_each_person_of_each_group_has_a_row(everybody):
    assert {name: len(takes) for name, takes in everybody.items()} == {
        "held-out sentences, a": 1,
        "held-out people, b": 2,
    }


@pytest.mark.parametrize("share", [0.5, 1.0, 1.5])
def test_a_mouth_that_moves_a_share_of_the_real_one_says_so(everybody, perfect, share):
    def moved(take):
        return take.neutral + share * (animated(perfect, take) - take.neutral)

    figures = people.judge_person(moved, everybody["held-out people, b"])
    assert figures.opening_spread == pytest.approx(share, abs=1e-3)
    assert figures.opening_correlation == pytest.approx(1, abs=1e-3)


def test_clips_of_another_opening_at_rest_have_no_greater_spread(everybody, perfect):
    takes = everybody["held-out people, b"]
    ajar = dict(zip((take.clip.name for take in takes), (0.0, 9.0), strict=True))  # pixels

    def moved(take):
        made = animated(perfect, take).copy()
        made[:, 64:68, 1] += ajar[take.clip.name]
        return made

    assert people.judge_person(moved, takes).opening_spread == pytest.approx(1, abs=1e-3)


def test_the_table_ends_with_the_mean_and_the_extremes(everybody):
    figures = {
        "held-out sentences, a": PersonFigures(0.9, 0.6, 1.0, 1.2),
        "held-out people, b": PersonFigures(0.7, 0.8, 2.0, 0.8),
    }
    table = people.people_table("by person", figures, everybody).document()
    assert list(table) == [*figures, people.MEAN, people.LOWEST, people.HIGHEST]
    assert [row["clips"] for row in table.values()] == ["1", "2", "", "", ""]
    assert table[people.MEAN]["spread of the opening"] == pytest.approx(1.0)
    assert table[people.LOWEST]["opening correlation"] == 0.7
    assert table[people.LOWEST]["width correlation"] == 0.6
    assert table[people.HIGHEST]["lip landmarks LMD, px"] == 2.0


def test_a_mean_in_the_middle_does_not_hide_a_person_who_moves_too_little():
    figures = [PersonFigures(1, 1, 1, 0.7), PersonFigures(1, 1, 1, 1.3)]
    goals = people.spread_goals(figures, "whoever")
    assert [goal.is_reached for goal in goals] == [True, False, True]
    assert [goal.is_reached for goal in people.spread_goals([PersonFigures(1, 1, 1, 1.06)], "one")] == [
        False,
        True,
        True,
    ]


def test_a_still_face_has_no_spread(everybody):
    figures = people.judge_people(static, everybody)
    assert {one.opening_spread for one in figures.values()} == {0}
    assert np.isfinite([one.lips_lmd for one in figures.values()]).all()
