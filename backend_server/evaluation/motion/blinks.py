"""Compares how often and how long the generated eyes blink with real ones (Fig. 5, Tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CORPUS_FRAME_RATE
from backend_server.data.corpus import Clip
from backend_server.evaluation import paper
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.page.charts import draw_durations
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.run import Context
from backend_server.metrics.blink import BlinkStatistics, blink_statistics
from backend_server.metrics.landmarks import eye_aspect_ratio
from backend_server.progress import Progress

CLIP_COUNT = 1000
CLIP_SECONDS = 3.0
GENERATED, TRAINED = "generated", "corpus, train"

Blinker = Callable[[NDArray[np.float64], int], NDArray[np.float32]]
"""From frame times (T,) and a seed to a blinking face (T, 68, 2)."""


def run(context: Context) -> Section:
    """Fig. 5 and a table: generated blinks, those of the corpus, and the paper's."""
    generated = generated_blinks(context.cascade.blink_landmarks, CLIP_COUNT, context.progress)
    statistics = {GENERATED: generated, TRAINED: real_blinks(context.corpus.clips("train"))}
    held_out = context.held_out.items()
    statistics |= {f"corpus, {name}": real_blinks([take.clip for take in takes]) for name, takes in held_out}
    shares = {name: statistics[name].duration_shares for name in (TRAINED, GENERATED)}
    means = {
        f"mean in the paper, {corpus}": seconds * paper.FRAMES_PER_SECOND
        for corpus, (_, seconds) in paper.BLINKS.items()
    }
    draw_durations(context.folder / "blinks.png", shares, means)
    rows = [(name, _row(one)) for name, one in statistics.items()]
    rows += [
        (f"the paper, {corpus}", (rate, seconds, float("nan"), "–", "–"))
        for corpus, (rate, seconds) in paper.BLINKS.items()
    ]
    least, most = paper.PEOPLE_BLINK
    return Section(
        "Blinks",
        (
            f"Found in the eye aspect ratio; generated are clips of {CLIP_SECONDS:.0f} s, each with its own seed, the "
            f"others are the clips of the corpus. People blink {least} to {most} times a second (Section 4.2).",
        ),
        (Table("Blinks", ("a second", "mean seconds", "depth", "count", "cut by an end"), tuple(rows)),),
        (Picture("blinks.png", "How long blinks last (Fig. 5)."),),
        (
            Goal("blinks a second", least, generated.rate, is_least=True, most=most),
            Goal("blink duration, mean seconds", 0.31, generated.duration, is_least=True, most=0.35),
        ),
    )


def generated_blinks(blinker: Blinker, count: int, progress: Progress) -> BlinkStatistics:
    """Blinking over so many generated clips of three seconds, each with its own seed."""
    times = np.arange(round(CLIP_SECONDS * CORPUS_FRAME_RATE)) / CORPUS_FRAME_RATE
    curves = []
    for seed in range(count):
        progress("blinks", seed, count)
        curves.append(eye_aspect_ratio(blinker(times, seed)))
    progress("blinks", count, count)
    return blink_statistics(curves, CORPUS_FRAME_RATE)


def real_blinks(clips: Sequence[Clip]) -> BlinkStatistics:
    """Blinking of the people of a corpus.

    Raises:
        CorpusError: a clip is missing or damaged.
    """
    return blink_statistics([eye_aspect_ratio(clip.landmarks().canonical) for clip in clips], CORPUS_FRAME_RATE)


def _row(one: BlinkStatistics) -> tuple[float | str, ...]:
    return one.rate, one.duration, one.depth, str(one.count), str(one.count - int(one.histogram.sum()))
