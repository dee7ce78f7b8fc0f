import math
from dataclasses import fields

import pytest

from backend_server.evaluation.goals import Goal, goals_section, motion_goals
from backend_server.metrics.motion import MotionFigures


def figures(**known):
    return MotionFigures(**{field.name: known.get(field.name, 0.0) for field in fields(MotionFigures)})


@pytest.mark.parametrize(
    ("goal", "reached", "wanted"),
    [
        (Goal("lmd", 1.2, 1.19), "yes", "at most 1.2"),
        (Goal("lmd", 1.2, 1.21), "no", "at most 1.2"),
        (Goal("correlation", 0.9, 0.9, is_least=True), "yes", "at least 0.9"),
        (Goal("blinks", 0.28, 0.41, is_least=True, most=0.4), "no", "0.28 to 0.4"),
        (Goal("closure", 0.95, math.nan, is_least=True), "–", "at least 0.95"),
    ],
)
def test_a_goal_says_what_is_wanted_and_whether_it_is_reached(goal, reached, wanted):
    (row,) = goals_section([goal]).tables[0].rows
    assert (row[1][0], row[1][2]) == (wanted, reached)


def test_the_goals_of_people_never_trained_on_are_their_own():
    ours = {
        "held-out people": figures(opening_correlation=0.9, width_correlation=0.79, lips_lmd=1.6),
        "train": figures(),
    }
    goals = motion_goals(ours)
    assert [goal.is_reached for goal in goals] == [True, False, True]
    assert all("held-out people" in goal.name for goal in goals)
