"""Compares landmarks made from sound with the real ones, beside simple baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.evaluation import paper
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import PEOPLE, SENTENCES, Take, by_person, clip_name
from backend_server.evaluation.motion.people import Method, Motion, judge_people, people_of, people_table, spread_goals
from backend_server.evaluation.motion.sounds import CLEAN, Sound
from backend_server.evaluation.page.charts import draw_curves
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.page.sheets import LIPS, Drawing, Outline, write_drawings
from backend_server.evaluation.run import Context
from backend_server.export.contact_sheet import ACCENT, sheet_frames
from backend_server.metrics.landmarks import correlation, mouth_opening
from backend_server.metrics.motion import MotionFigures, mean_figures, motion_figures
from backend_server.progress import Progress
from backend_server.retarget import keep_lips_apart, retarget
from shared.landmarks import LIPS as LIP_POINTS

OURS, STATIC, LOUDNESS = "ours", "static, neutral", "jaw by loudness"
BY_PERSON, CLIP_BY_CLIP = "Motion by person", "Motion clip by clip, held-out people"
SHOWN_CLIPS = 3
LIP_PICTURES = 14  # a clip
WIDEST_JAW = 0.15  # canonical units, how far a jaw that follows the loudness opens
COLUMNS = (
    "opening correlation",
    "width correlation",
    "opening amplitude",
    "width amplitude",
    "lip landmarks LMD, px",
    "all 68 LMD, px",
    "velocity error, px a frame",
    "direction agreement",
    "closure recall",
    "offset, frames",
)  # of MotionFigures, in its order
# Least correlation of opening and width, largest distance of the lip landmarks in pixels.
WANTED = {SENTENCES: (0.92, 0.78, 0.95), PEOPLE: (0.91, 0.78, 1.25)}


def run(context: Context) -> Section:
    """Tables by person, by group, clip by clip for the people held out, and the curves and lips of a few clips."""
    ours = partial(animated, context.cascade)
    methods: dict[str, Method] = {OURS: ours, STATIC: static, LOUDNESS: loudness(context.cascade.neutral_canonical)}
    figures = judge_groups(methods, context.groups, "motion", context.progress)
    people = people_of(context.held_out)
    of_people = judge_people(ours, people)
    tables = [people_table(BY_PERSON, of_people, people)]
    tables += [
        Table.of_figures(f"Motion, {group_title(name, context.groups[name])}", COLUMNS, rows)
        for name, rows in figures.items()
    ]
    if strangers := context.groups.get(PEOPLE):
        tables.append(Table.of_figures(CLIP_BY_CLIP, COLUMNS, clip_by_clip(ours, strangers), is_detail=True))
    shown = typical_takes(ours, context.held_out)
    draw_curves(context.folder / "curves.png", shown)
    write_drawings(context.folder / "lips.png", [_lip_strip(*one) for one in shown], (0.9, 0.95))
    return Section(
        "Motion",
        (
            "Pixels of the 256 x 256 crop, after retargeting to the clip's own neutral face (Eq. 7); the real motion "
            "has its head motion removed, the made one no blinks, which come at random. Opening and width are measured "
            "at the inner lips and the mouth's corners; correlations are Pearson's, a clip, averaged over clips. "
            "Amplitude is the spread over that of the real curve. The spread of a person's opening is the same of all "
            "clips together, after the mean of each is taken away: 1 is a mouth that moves as much as the real one. "
            "Closure recall is the share of frames with really closed lips in which the made lips are closed. The "
            "offset is where the cross-correlation of the openings peaks, positive when the face is late; frames of "
            "40 ms.",
            "The LMD here compares landmarks with landmarks. That of the paper compares lips found in rendered and "
            'recorded frames; it stands in "Faces from the sound". The paper prints an offset of '
            f"{paper.OFFSET_FRAMES:.0f} frame by SyncNet.",
            "The settings of the networks were chosen by these figures, so they are a little optimistic.",
        ),
        tuple(tables),
        (
            Picture("curves.png", "For each held-out person the clip with the median correlation of the opening."),
            Picture(
                "lips.png", "Lips of the same clips at wide and narrow moments: real (dark), from the sound (red)."
            ),
        ),
        (
            *goals({group: rows[OURS] for group, rows in figures.items()}),
            *spread_goals(list(of_people.values()), "held-out clips"),
        ),
    )


def goals(ours: Mapping[str, MotionFigures]) -> list[Goal]:
    """The goals of a held-out motion; `ours` are its figures by group."""
    wanted = []
    for group, (opening, width, lmd) in WANTED.items():
        if group in ours:
            wanted += [
                Goal(f"opening correlation, {group}", opening, ours[group].opening_correlation, is_least=True),
                Goal(f"width correlation, {group}", width, ours[group].width_correlation, is_least=True),
                Goal(f"lip landmarks LMD, pixels, {group}", lmd, ours[group].lips_lmd),
            ]
    return wanted


def animated(cascade: Cascade, take: Take, sound: Sound = CLEAN) -> Motion:
    """The motion that the cascade makes of a take, heard in `sound`, without blinks: (T, 68, 2) pixels of the crop.

    Blinks come at random; at other moments than the real ones they would count as errors of the mouth's width, which
    is a share of the distance of the eyes.
    """
    times = take.frame_times / sound.speed
    motion = cascade.animate(sound.heard(take.waveform), SAMPLE_RATE, times, blink=False)
    return keep_lips_apart(retarget(motion.canonical, cascade.neutral_canonical, take.neutral), take.neutral)


def static(take: Take) -> Motion:
    """The neutral face, still."""
    return np.repeat(take.neutral[None], len(take.real), axis=0)


def loudness(neutral_canonical: NDArray[np.float32]) -> Method:
    """A jaw that opens as loud as the speech is.

    Args:
        neutral_canonical: (68, 2) canonical units, the face whose jaw moves.
    """
    open_jaw = neutral_canonical.copy()
    open_jaw[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += WIDEST_JAW

    def method(take: Take) -> Motion:
        loud = loudness_curve(take.waveform, take.frame_times)[:, None, None]
        canonical = neutral_canonical + loud * (open_jaw - neutral_canonical)
        return retarget(canonical, neutral_canonical, take.neutral)

    return method


def loudness_curve(waveform: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Root mean square of 40 ms around each time (T,) over the loudest of the clip: (T,) in [0, 1]."""
    half = int(SAMPLE_RATE / CORPUS_FRAME_RATE / 2)
    centres = np.rint(times * SAMPLE_RATE).astype(int)
    windows = [waveform[max(c - half, 0) : c + half] for c in centres]
    levels = np.array([np.sqrt(np.mean(np.square(w))) if len(w) else 0.0 for w in windows], np.float32)
    return levels / max(float(levels.max()), 1e-9)


def clip_by_clip(method: Method, takes: Sequence[Take]) -> dict[str, MotionFigures]:
    """Figures of a method by clip; distances in pixels of the crop."""
    return {clip_name(take.clip): motion_figures(method(take), take.real) for take in takes}


def judge(method: Method, takes: Sequence[Take]) -> MotionFigures:
    """Mean figures of a method over takes."""
    return mean_figures(list(clip_by_clip(method, takes).values()))


def judge_groups(
    methods: Mapping[str, Method], groups: Mapping[str, Sequence[Take]], stage: str, progress: Progress
) -> dict[str, dict[str, MotionFigures]]:
    """Figures by group and method.

    Args:
        methods: by name.
        groups: takes by name.
        stage: what the progress is called.
        progress: told of every method and group.
    """
    figures: dict[str, dict[str, MotionFigures]] = {group: {} for group in groups}
    steps = len(methods) * len(groups)
    for number, (name, method) in enumerate(methods.items()):
        for place, (group, takes) in enumerate(groups.items()):
            progress(stage, number * len(groups) + place, steps)
            figures[group][name] = judge(method, takes)
    progress(stage, steps, steps)
    return figures


def group_title(name: str, takes: Sequence[Take]) -> str:
    """A group with its people and how many clips they gave."""
    people = sorted({take.clip.speaker for take in takes})
    who = ", ".join(people) if len(people) < 4 else f"{len(people)} people"
    return f"{name} ({who}; {len(takes)} clips)"


def typical_takes(method: Method, groups: Mapping[str, Sequence[Take]]) -> list[tuple[Take, Motion]]:
    """For each person the take whose opening correlation is the median, and its motion; three at most."""
    people = by_person(take for takes in groups.values() for take in takes)
    chosen = []
    for takes in list(people.values())[:SHOWN_CLIPS]:
        made = [method(take) for take in takes]
        scores = [correlation(mouth_opening(m), mouth_opening(t.real)) for m, t in zip(made, takes, strict=True)]
        median = int(np.argsort(scores)[len(scores) // 2])
        chosen.append((takes[median], made[median]))
    return chosen


def _lip_strip(take: Take, made: Motion) -> tuple[str, list[Drawing]]:
    """Outlines of the lips at chosen moments, real and made from the sound over one another."""
    lips = take.real[:, LIP_POINTS]
    low, high = lips.min((0, 1)), lips.max((0, 1))
    (left, top), (right, bottom) = (low + high) / 2 - 0.6 * (high - low), (low + high) / 2 + 0.6 * (high - low)
    opening = mouth_opening(take.real).astype(np.float32)
    moving = np.flatnonzero(opening > 0.1 * opening.max())
    first, last = (int(moving[0]), int(moving[-1]) + 1) if len(moving) else (0, len(opening))
    drawings = []
    for frame in first + sheet_frames(opening[first:last], LIP_PICTURES):
        outlines = Outline(take.real[frame], LIPS), Outline(made[frame], LIPS, ACCENT)
        drawings.append(Drawing(outlines, (left, right, bottom, top), f"{take.frame_times[frame]:.2f} s"))
    return take.clip.speaker, drawings
