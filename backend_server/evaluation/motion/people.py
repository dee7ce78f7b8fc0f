"""Judges the motion person by person: how well it follows, and whether the mouth moves as much as the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import Take, by_person
from backend_server.evaluation.page.report import Table
from backend_server.metrics.figures import Figures
from backend_server.metrics.landmarks import mouth_opening, spread_ratio
from backend_server.metrics.motion import mean_figures, motion_figures

FIGURES = (
    "opening correlation",
    "width correlation",
    "lip landmarks LMD, px",
    "spread of the opening",
)  # of PersonFigures, in its order
MEAN, LOWEST, HIGHEST = "mean of the people", "lowest", "highest"
SPREAD_GOAL, EACH_SPREAD_GOAL = (0.95, 1.05), (0.75, 1.3)  # of the mean, and of each person

Motion = NDArray[np.float32]
Method = Callable[[Take], Motion]
"""A way to make the motion (T, 68, 2), in pixels of the crop, of a take."""


@dataclass(frozen=True)
class PersonFigures(Figures):
    """Figures of one person, or their means over people.

    Attributes:
        opening_correlation: Pearson, mouth opening, mean over clips.
        width_correlation: the same of the width.
        lips_lmd: mean distance of the lip points, pixels.
        opening_spread: standard deviation of the opening over that of the real one, all clips together, the mean of
            each clip taken away; below 1 the mouth moves too little.
    """

    opening_correlation: float
    width_correlation: float
    lips_lmd: float
    opening_spread: float


def judge_person(method: Method, takes: Sequence[Take]) -> PersonFigures:
    """Figures of a method over the takes of one person, at least one."""
    made = [method(take) for take in takes]
    mean = mean_figures([motion_figures(one, take.real) for one, take in zip(made, takes, strict=True)])
    openings = [mouth_opening(one) for one in made], [mouth_opening(take.real) for take in takes]
    return PersonFigures(mean.opening_correlation, mean.width_correlation, mean.lips_lmd, spread_ratio(*openings))


def people_of(groups: Mapping[str, Sequence[Take]]) -> dict[str, list[Take]]:
    """The takes of each person of each group, by the names of both."""
    return {
        f"{group}, {person}": of_person
        for group, takes in groups.items()
        for person, of_person in by_person(takes).items()
    }


def judge_people(method: Method, people: Mapping[str, Sequence[Take]]) -> dict[str, PersonFigures]:
    """Figures of a method by person."""
    return {name: judge_person(method, takes) for name, takes in people.items()}


def people_table(title: str, figures: Mapping[str, PersonFigures], people: Mapping[str, Sequence[Take]]) -> Table:
    """A row for each person, then their mean and the lowest and highest value of each figure.

    Args:
        title: of the table.
        figures: by the name of the row, at least one.
        people: the judged takes by the same names.
    """
    columns = list(zip(*map(astuple, figures.values()), strict=True))
    rows = {
        **figures,
        MEAN: PersonFigures.mean(list(figures.values())),
        LOWEST: PersonFigures(*map(min, columns)),
        HIGHEST: PersonFigures(*map(max, columns)),
    }
    clips = {name: str(len(takes)) for name, takes in people.items()}
    return Table(
        title, ("clips", *FIGURES), tuple((name, (clips.get(name, ""), *astuple(one))) for name, one in rows.items())
    )


def spread_goals(figures: Sequence[PersonFigures], whose: str) -> list[Goal]:
    """That the mouth moves as much as the real one, over people and in each of them.

    Args:
        figures: of at least one person.
        whose: the people, as the goals name them.
    """
    spreads = [one.opening_spread for one in figures]
    (least, most), (least_of_all, most_of_all) = SPREAD_GOAL, EACH_SPREAD_GOAL
    name = f"spread of the opening against the real one, {whose}"
    return [
        Goal(f"{name}, mean", least, float(np.mean(spreads)), is_least=True, most=most),
        Goal(f"{name}, lowest", least_of_all, min(spreads), is_least=True),
        Goal(f"{name}, highest", most_of_all, max(spreads)),
    ]
