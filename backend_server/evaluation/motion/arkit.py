"""Compares ARKit's blend shapes, made from the sound and from real landmarks, with what a face tracker scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE
from backend_server.data.arkit_examples import ArkitExample, arkit_examples
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import PEOPLE
from backend_server.evaluation.page.report import Section, Table
from backend_server.evaluation.run import Context
from backend_server.metrics.arkit import ArkitFigures, arkit_figures
from shared.errors import CorpusError

TITLE = "ARKit's shapes"
SOUND, REAL = "from the sound", "from real landmarks"
COLUMNS = (
    "jawOpen",
    "mouthClose",
    "mouthPucker",
    "mouthFunnel",
    "mouthLowerDown",
    "mouthSmile",
    "mouthStretch",
    "all of jaw and mouth",
    "mean error, weight",
)  # of ArkitFigures, in its order
WANTED = {"jaw_open": 0.85, "mouth_close": 0.65, "mouth_pucker": 0.60, "mouth_funnel": 0.50}  # on people held out

Method = Callable[[ArkitExample], NDArray[np.float32]]
"""A way to make the weights (T, 52) of a clip."""


def run(context: Context) -> Section:
    """Correlations on the held-out clips, by group and person."""
    groups = {name: [take.clip for take in takes] for name, takes in context.held_out.items()}
    try:
        examples = {name: arkit_examples(clips, context.corpus.neutral_canonical) for name, clips in groups.items()}
    except CorpusError as error:
        return Section(TITLE, (f"Not measured: {error}",))
    figures = {
        way: judge_people(method, examples, way, context)
        for way, method in ((SOUND, heard(context)), (REAL, seen(context)))
    }
    rows = {f"{name}, {way}": one for way, named in figures.items() for name, one in named.items()}
    return Section(
        TITLE,
        (
            "Pearson's correlation with what the Face Landmarker scores in the video, relative to the person's face at "
            "rest, a clip, averaged over clips, then over people; shapes of two sides are the mean of both. A shape "
            "that does not move in a clip is not judged there. The shapes made from the sound take the whole way, "
            "through the motion network.",
        ),
        (Table.of_figures(TITLE, COLUMNS, rows),),
        goals=goals(figures[SOUND].get(PEOPLE)),
    )


def heard(context: Context) -> Method:
    """From the sound, without blinks."""

    def method(example: ArkitExample) -> NDArray[np.float32]:
        times = example.clip.landmarks().frame_times
        return context.cascade.animate(example.clip.waveform(), SAMPLE_RATE, times, blink=False).arkit

    return method


def seen(context: Context) -> Method:
    """From the real landmarks."""
    return lambda example: context.cascade.arkit_shapes(example.displacements)


def judge_people(
    method: Method, groups: Mapping[str, Sequence[ArkitExample]], way: str, context: Context
) -> dict[str, ArkitFigures]:
    """Mean figures by group, over its people alike, and of each person of a group that has several."""
    figures: dict[str, ArkitFigures] = {}
    for group, examples in groups.items():
        by_person: dict[str, list[ArkitFigures]] = {}
        for number, example in enumerate(examples):
            context.progress(f"ARKit {way}", number, len(examples))
            made = arkit_figures(method(example), example.weights)
            by_person.setdefault(example.clip.speaker, []).append(made)
        people = {person: ArkitFigures.mean(own) for person, own in by_person.items()}
        figures[group] = ArkitFigures.mean(list(people.values()))
        figures |= people if len(people) > 1 else {}
    return figures


def goals(people: ArkitFigures | None) -> tuple[Goal, ...]:
    """The goals of shapes made from the sound; `people` are the figures on people held out."""
    if people is None:
        return ()
    titles = dict(zip(ArkitFigures.__dataclass_fields__, COLUMNS, strict=True))
    return tuple(
        Goal(f"{titles[name]} correlation, {SOUND}, {PEOPLE}", least, getattr(people, name), is_least=True)
        for name, least in WANTED.items()
    )
