"""Trains the motion without one person after another, and judges each network on the person it never saw.

The people of the validation split are few, and settings were chosen on them. Here each of ten others is a stranger
once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from backend_server.cascade import Cascade
from backend_server.config import MotionConfig
from backend_server.data.corpus import Clip, Corpus, long_enough
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import read_take, spread
from backend_server.evaluation.motion.accuracy import animated
from backend_server.evaluation.motion.networks import Networks, Training, with_motion
from backend_server.evaluation.motion.people import (
    FIGURES,
    PersonFigures,
    judge_people,
    judge_person,
    people_of,
    people_table,
    spread_goals,
)
from backend_server.evaluation.page.report import Section, Table
from backend_server.evaluation.run import Context

PEOPLE_COUNT = 10
TRAINED_CLIPS = 60  # of a person at most, spread over their clips
JUDGED_CLIPS = 24  # the same of the person left out
MODELLED_PART = 1 / 3  # of the usual examples of speech without pictures
STAGE, NOBODY = "leave one out", "nobody"
LEFT_OUT, SHORTENED = "Motion of people left out", "What the shorter training costs"
CORRELATION_GOALS = (0.86, 0.65)  # opening and width, mean of the people


def run(context: Context) -> Section:
    """Figures of each person by the network that never saw them, and what the shorter training costs."""
    config = shortened(MotionConfig(), context.settings.epochs)
    people = left_out_people(context.corpus)
    files = train_without(context, people, config)
    takes, figures = {}, {}
    for number, person in enumerate(people):
        context.progress("people left out", number, len(people))
        takes[person] = [read_take(clip) for clip in spread(context.corpus.clips(speaker=person), JUDGED_CLIPS)]
        figures[person] = judge_person(partial(animated, _cascade(context, files[person])), takes[person])
    context.progress("people left out", len(people), len(people))
    speech = context.settings.speech
    return Section(
        "People left out",
        (
            f"For each of {len(people)} people a motion network was trained without any clip of theirs and judged on "
            f"{JUDGED_CLIPS} of their clips, spread over all, or on all where there are fewer. They are those of the "
            "training people with the most clips, but for people of whom sentences are held out, who have rows of "
            "their own above. The ear, the face at rest and the settings are the shipped ones, and the babble in "
            "which clips are heard holds voices of all.",
            f"These trainings are shorter than that of the shipped network: {config.epochs} epochs instead of "
            f"{MotionConfig().epochs}, with {TRAINED_CLIPS} clips of a person at most, spread over all, and "
            + (
                f"{config.synthetic_clips} and {config.recorded_clips} sentences of synthetic and recorded speech "
                "without pictures, a third of the usual."
                if speech
                else "without speech without pictures, since no folder of speech was given with --speech."
            )
            + " The second table has the groups that are held out of all training, by the shipped network and by one "
            "that was trained so on everybody.",
        ),
        (people_table(LEFT_OUT, figures, takes), _shortened_table(context, files[NOBODY])),
        goals=(*_goals(list(figures.values())), *spread_goals(list(figures.values()), "people left out")),
    )


def left_out_people(corpus: Corpus, count: int = PEOPLE_COUNT) -> list[str]:
    """The people who are left out: of those of whom nothing is held out, the ones with the most clips.

    Among equals the shorter name comes first, then the alphabet: s9 before s10.
    """
    clips = Counter(clip.speaker for clip in corpus.clips("train"))
    strangers = [name for name in clips if name not in corpus.speakers("val")]
    return sorted(strangers, key=lambda name: (-clips[name], len(name), name))[:count]


def shortened(config: MotionConfig, epochs: int) -> MotionConfig:
    """The settings with so many epochs and a part of the speech without pictures."""
    return replace(
        config,
        epochs=epochs,
        synthetic_clips=round(MODELLED_PART * config.synthetic_clips),
        recorded_clips=round(MODELLED_PART * config.recorded_clips),
    )


def training_clips(corpus: Corpus, config: MotionConfig) -> list[Clip]:
    """The training clips that are long enough, so many of each person at most, spread over theirs."""
    people: dict[str, list[Clip]] = defaultdict(list)
    for clip in long_enough(corpus.clips("train"), config.run_frames):
        people[clip.speaker].append(clip)
    return [clip for clips in people.values() for clip in spread(clips, TRAINED_CLIPS)]


def train_without(context: Context, people: Sequence[str], config: MotionConfig) -> dict[str, Path]:
    """Weights files of the networks that never saw each of the people, and of one that saw all, under `NOBODY`."""
    networks = Networks(context, training_clips(context.corpus, config), context.settings.speech)
    trainings = [Training(f"without {name}", config, name) for name in people] + [Training(NOBODY, config)]
    files = networks.files(trainings, STAGE)
    return {one.left_out or NOBODY: files[one.name] for one in trainings}


def _cascade(context: Context, motion: Path) -> Cascade:
    return with_motion(context.settings.weights, motion, context.settings.device)


def _shortened_table(context: Context, motion: Path) -> Table:
    """The held-out groups, by the shipped network and by one of the shorter training."""
    people = people_of(context.held_out)
    ways = {"shipped": context.cascade, "shorter training": _cascade(context, motion)}
    rows = {
        f"{name}, {way}": one
        for way, cascade in ways.items()
        for name, one in judge_people(partial(animated, cascade), people).items()
    }
    return Table.of_figures(SHORTENED, FIGURES, rows)


def _goals(figures: Sequence[PersonFigures]) -> list[Goal]:
    mean, (opening, width) = PersonFigures.mean(figures), CORRELATION_GOALS
    return [
        Goal("opening correlation, people left out, mean", opening, mean.opening_correlation, is_least=True),
        Goal("width correlation, people left out, mean", width, mean.width_correlation, is_least=True),
    ]
