import math

import pytest

from backend_server.evaluation.goals import Goal


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
    assert (goal.wanted, goal.outcome) == (wanted, reached)
