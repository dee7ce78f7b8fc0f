"""Which figures do the motion and the rendered faces have to reach, and do they?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend_server.evaluation import paper
from backend_server.evaluation.frame_figures import TextureFigures
from backend_server.evaluation.report import Section, Table, words
from backend_server.evaluation.robustness import SweepFigures, growth_at
from backend_server.evaluation.sounds import babble_name
from backend_server.evaluation.takes import PEOPLE, SENTENCES
from backend_server.metrics.blink import BlinkStatistics
from backend_server.metrics.motion import MotionFigures


@dataclass(frozen=True)
class Goal:
    """A figure with the value it has to reach.

    Attributes:
        name: what is measured.
        limit: the value.
        measured: what came out; NaN when it was not measured.
        is_least: whether the limit is the least good value; otherwise it is the most.
        most: the upper end where both ends count.
        printed: what the paper reaches on GRID; NaN where it prints nothing of the kind.
    """

    name: str
    limit: float
    measured: float
    is_least: bool = False
    most: float = math.inf
    printed: float = math.nan

    @property
    def is_reached(self) -> bool:
        """Whether the measured value is on the right side."""
        return self.limit <= self.measured <= self.most if self.is_least else self.measured <= self.limit

    @property
    def wanted(self) -> str:
        """The limit in words."""
        if self.is_least and self.most < math.inf:
            return f"{self.limit:g} to {self.most:g}"
        return f"{'at least' if self.is_least else 'at most'} {self.limit:g}"


def motion_goals(ours: Mapping[str, MotionFigures]) -> list[Goal]:
    """The goals of a held-out motion; `ours` are its figures by group."""
    wanted = {SENTENCES: (0.95, 0.85, 1.2), PEOPLE: (0.90, 0.80, 1.6)}
    goals = []
    for group, (opening, width, lmd) in wanted.items():
        if group in ours:
            goals += [
                Goal(f"opening correlation, {group}", opening, ours[group].opening_correlation, is_least=True),
                Goal(f"width correlation, {group}", width, ours[group].width_correlation, is_least=True),
                Goal(f"lips LMD, pixels, {group}", lmd, ours[group].lips_lmd),
            ]
    return goals


def other_goals(
    swept: Sequence[SweepFigures],
    closure: float,
    blinking: BlinkStatistics,
    real_time_factor: float,
    mebibytes: float,
) -> list[Goal]:
    """The goals of noise, articulation, blinks, speed and size.

    Args:
        swept: the sweeps over noise.
        closure: share of p, b, m in which the lips close; NaN when not measured.
        blinking: of generated clips.
        real_time_factor: of sound to landmarks on one thread.
        mebibytes: weights of hearing, motion and blinks.
    """
    return [
        Goal("lips closed on p, b, m, share", 0.95, closure, is_least=True),
        Goal("LMD growth in babble at 0 dB, per cent", 20, growth_at(swept, babble_name(0.0))),
        Goal("blinks a second", paper.PEOPLE_BLINK[0], blinking.rate, is_least=True, most=paper.PEOPLE_BLINK[1]),
        Goal("blink duration, mean seconds", 0.31, blinking.duration, is_least=True, most=0.35),
        Goal("sound to landmarks on one thread, real-time factor", 0.01, real_time_factor),
        Goal("weights of speech, motion and blinks, MiB", 12, mebibytes),
    ]


def texture_goals(same: TextureFigures, other: TextureFigures, one: TextureFigures, real: TextureFigures) -> list[Goal]:
    """The goals of rendered faces of held-out people, driven by real landmarks and tuned for 10 epochs.

    Args:
        same: learnt from K = 20 frames of the clip that is judged.
        other: learnt from K = 20 frames of another clip of the person.
        one: learnt from one image of the clip that is judged.
        real: of the real frames.
    """
    printed, single = paper.GRID_TEXTURE, paper.GRID_ONE_IMAGE
    wanted = (("K = 20", same, 36.0, 0.95, printed), ("K = 20, another clip", other, 33.0, 0.92, {}))
    goals = []
    for name, figures, psnr, ssim, beside in (*wanted, ("K = 1", one, 32.5, 0.92, single)):
        goals += [
            Goal(f"PSNR, dB, {name}", psnr, figures.psnr, is_least=True, printed=beside.get("psnr", math.nan)),
            Goal(f"SSIM, {name}", ssim, figures.ssim, is_least=True, printed=beside.get("ssim", math.nan)),
        ]
    return [
        *goals,
        Goal("mouth PSNR, dB, K = 20", 30, same.mouth_psnr, is_least=True),
        Goal("CPBD, share of that of the real frames, K = 20", 0.95, same.cpbd / real.cpbd, is_least=True),
        Goal("lips LMD to the driving lips, pixels, K = 20", 1.0, same.lips_lmd, printed=printed["real_lips_lmd"]),
    ]


def goals_section(goals: Sequence[Goal]) -> Section:
    """All goals with what was measured."""
    rows = []
    for goal in goals:
        reached = "–" if math.isnan(goal.measured) else "yes" if goal.is_reached else "no"
        rows.append((goal.name, (goal.wanted, words(goal.measured), reached, goal.printed)))
    return Section("Goals", (), (Table("Goals", ("goal", "measured", "reached", "the paper, GRID"), tuple(rows)),))
