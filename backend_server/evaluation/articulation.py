"""Do lips close, touch, round and rest when the phones demand it, on sentences with exact phone times?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from backend_server.cascade import Cascade
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.evaluation.report import Section, Table
from backend_server.evaluation.spoken import Spoken
from backend_server.metrics.articulation import ArticulationFigures, articulation_figures
from backend_server.progress import Progress
from shared.motion_controls import UNTOUCHED, MotionControls
from shared.timing import FrameRate, frame_times

ALL, GATED = "all voices", "all voices, control silence = 1"
COLUMNS = (
    "lips closed on p, b, m",
    "lip at the teeth on f, v",
    "rounding, deviations",
    "closed in pauses",
    "jitter in pauses, eye distances a second",
    "motion before sound, s",
)  # of ArticulationFigures, in its order


def articulate(cascade: Cascade, spoken: Sequence[Spoken], progress: Progress) -> dict[str, ArticulationFigures]:
    """Mean figures on the mean face, by voice, over all voices, and over all with lips that rest in silence."""
    figures, gated = [], []
    for number, one in enumerate(spoken):
        progress("articulation", number, len(spoken))
        figures.append(_figures(cascade, one, UNTOUCHED))
        gated.append(_figures(cascade, one, MotionControls(silence=1.0)))
    progress("articulation", len(spoken), len(spoken))
    by_voice = {
        voice: ArticulationFigures.mean([made for made, one in zip(figures, spoken, strict=True) if one.voice == voice])
        for voice in dict.fromkeys(one.voice for one in spoken)
    }
    return {**by_voice, ALL: ArticulationFigures.mean(figures), GATED: ArticulationFigures.mean(gated)}


def articulation_section(figures: Mapping[str, ArticulationFigures], reason: str = "") -> Section:
    """One row a voice.

    Args:
        figures: by voice; none when nothing was measured.
        reason: why nothing was measured.
    """
    if not figures:
        return Section("Articulation", (f"Not measured: {reason}",))
    rows = tuple((name, astuple(row)) for name, row in figures.items())
    return Section(
        "Articulation",
        (
            "Synthetic voices say sentences whose phone times are known, with silence before and after. Closed lips "
            "and a lip at the teeth are reached when the opening falls below its threshold within a frame of the "
            "phone. Rounding is by how much narrower rounded vowels are than spread ones, in standard deviations of "
            "the width. The last column is how long before the first sound the mouth visibly moves.",
        ),
        (Table("Articulation, synthetic speech", COLUMNS, rows),),
    )


def _figures(cascade: Cascade, one: Spoken, controls: MotionControls) -> ArticulationFigures:
    times = frame_times(len(one.waveform) / SAMPLE_RATE, FrameRate(int(CORPUS_FRAME_RATE)))
    motion = cascade.animate(one.waveform, SAMPLE_RATE, times, controls=controls)
    return articulation_figures(one.phones, motion.canonical, times)
