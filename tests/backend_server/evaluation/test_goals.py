import math
from dataclasses import fields

import pytest

from backend_server.evaluation.goals import Goal, goals_section, motion_goals, texture_goals
from backend_server.evaluation.texture_report import printed_figures
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


def test_the_goals_of_faces_stand_beside_the_papers_figures():
    same = printed_figures({"psnr": 36.1, "ssim": 0.94, "mouth_psnr": 30.0, "cpbd": 0.19, "lips_lmd": 1.01})
    real = printed_figures({"cpbd": 0.2})
    goals = {goal.name: goal for goal in texture_goals(same, printed_figures({}), same, real)}
    assert [goals[f"{name}, K = 20"].is_reached for name in ("PSNR, dB", "SSIM", "mouth PSNR, dB")] == [
        True,
        False,
        True,
    ]
    assert goals["CPBD, share of that of the real frames, K = 20"].is_reached
    assert not goals["lips LMD to the driving lips, pixels, K = 20"].is_reached
    assert (goals["PSNR, dB, K = 20"].printed, goals["PSNR, dB, K = 1"].printed) == (29.9, 27.95)
    assert math.isnan(goals["PSNR, dB, K = 20, another clip"].measured)
    (row, *_) = goals_section(list(goals.values())).tables[0].rows
    assert row == ("PSNR, dB, K = 20", ("at least 36", "36.100", "yes", 29.9))
