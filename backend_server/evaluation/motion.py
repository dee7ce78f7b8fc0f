"""How well do landmarks made from sound follow the real ones, and are they better than simple baselines?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from backend_server.evaluation import paper
from backend_server.evaluation.charts import draw_curves, draw_lips
from backend_server.evaluation.report import Picture, Section, Table
from backend_server.evaluation.takes import PEOPLE, SENTENCES, Method, Motion, Take
from backend_server.metrics.landmarks import correlation, mouth_opening
from backend_server.metrics.motion import MotionFigures

SHOWN_CLIPS = 3
COLUMNS = (
    "opening correlation",
    "width correlation",
    "opening amplitude",
    "width amplitude",
    "lips LMD, px",
    "all 68 LMD, px",
    "velocity error, px a frame",
    "direction agreement",
    "closure recall",
    "offset, frames",
)  # of MotionFigures, in its order


def figures_table(title: str, figures: Mapping[str, MotionFigures]) -> Table:
    """One row a method."""
    return Table(title, COLUMNS, tuple((name, astuple(row)) for name, row in figures.items()))


def group_title(name: str, takes: Sequence[Take]) -> str:
    """A group with its people and how many clips they gave."""
    people = sorted({take.clip.speaker for take in takes})
    who = ", ".join(people) if len(people) < 4 else f"{len(people)} people"
    return f"{name} ({who}; {len(takes)} clips)"


def typical_takes(method: Method, groups: Mapping[str, Sequence[Take]]) -> list[tuple[Take, Motion]]:
    """For each held-out person the clip whose opening correlation is the median, and its motion; three at most."""
    by_person: dict[str, list[Take]] = {}
    for take in (take for name in (SENTENCES, PEOPLE) for take in groups.get(name, ())):
        by_person.setdefault(take.clip.speaker, []).append(take)
    chosen = []
    for takes in list(by_person.values())[:SHOWN_CLIPS]:
        made = [method(take) for take in takes]
        scores = [correlation(mouth_opening(m), mouth_opening(t.real)) for m, t in zip(made, takes, strict=True)]
        median = int(np.argsort(scores)[len(scores) // 2])
        chosen.append((takes[median], made[median]))
    return chosen


def motion_section(
    folder: Path,
    groups: Mapping[str, Sequence[Take]],
    figures: Mapping[str, Mapping[str, MotionFigures]],
    shown: Sequence[tuple[Take, Motion]],
) -> Section:
    """Tables by group, and the curves and lips of a few clips.

    Args:
        folder: of the report.
        groups: takes by name.
        figures: by group and method.
        shown: takes with the motion made of them.
    """
    draw_curves(folder / "curves.png", shown)
    draw_lips(folder / "lips.png", shown)
    printed = ", ".join(f"{value} on {corpus}" for corpus, value in paper.LIPS_LMD.items())
    return Section(
        "Motion",
        (
            "Pixels of the 256 x 256 crop, after retargeting to the clip's own neutral face (Eq. 7); the real motion "
            "has its head motion removed, the made one no blinks, which come at random. Opening and width are measured "
            "at the inner lips and the mouth's corners; correlations are Pearson's, a clip, averaged over clips. "
            "Amplitude is the spread over that of the real curve. Closure recall is the share of frames with really "
            "closed lips in which the made lips are closed. The offset is where the cross-correlation of the openings "
            "peaks, positive when the face is late; frames of 40 ms.",
            f"The paper prints a lips LMD of {printed}, measured on rendered frames, and an offset of "
            f"{paper.OFFSET_FRAMES:.0f} frame by SyncNet.",
        ),
        tuple(figures_table(f"Motion, {group_title(name, groups[name])}", rows) for name, rows in figures.items()),
        (
            Picture("curves.png", "For each held-out person the clip with the median correlation of the opening."),
            Picture(
                "lips.png", "Lips of the same clips at wide and narrow moments: real (dark), from the sound (red)."
            ),
        ),
    )
