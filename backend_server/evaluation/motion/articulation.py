"""Measures whether lips close, touch, round and rest when the phones demand it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backend_server.articulation.phones import ROUNDED
from backend_server.cascade import Cascade
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.motion.spoken import Spoken, read_recorded
from backend_server.evaluation.page.report import Section, Table
from backend_server.evaluation.run import Context
from backend_server.metrics.articulation import ArticulationFigures, articulation_figures
from backend_server.progress import Progress
from backend_server.speech.listener import open_scorer
from shared.errors import SpeechFaceError, WeightsError
from shared.motion_controls import UNTOUCHED, MotionControls
from shared.timing import FrameRate, frame_times

ALL, GATED = "all synthetic voices", "all synthetic voices, control silence = 1"
RECORDED = "recorded, "
COLUMNS = (
    "lips closed on p, b, m",
    "lips closed in mid-vowel",
    "lip at the teeth on f, v",
    "rounding, deviations",
    "closed in pauses",
    "jitter in pauses, eye distances a second",
    "motion before sound, s",
)  # of ArticulationFigures, in its order


def run(context: Context) -> Section:
    """One row a voice; the reason where sentences cannot be spoken or recorded ones cannot be aligned."""
    try:
        spoken = context.spoken
    except SpeechFaceError as error:
        return Section("Articulation", (f"Not measured: {error}",), goals=(_goal(float("nan")),))
    recorded, lacking = [], ()
    if folder := context.settings.speech:
        try:
            recorded = read_recorded(folder, open_scorer(context.settings.weights, context.settings.device))
        except WeightsError as error:
            lacking = (f"Recorded sentences are not measured: {error}",)
    figures = articulate(context.cascade, spoken, recorded, context.progress)
    return Section(
        "Articulation",
        (
            "Synthetic voices say sentences whose phone times are known, with silence before and after; recorded "
            "sentences are those of people never trained on, their phone times found by alignment, some 10 to 20 ms "
            "off. Closed lips and a lip at the teeth are reached when the opening falls below its threshold within a "
            "frame of the phone; lips that also close in the middle of vowels close too much. Rounding is by how much "
            "narrower rounded vowels are than spread ones, in standard deviations of the width. The last column is "
            "how long before the first sound the mouth visibly moves.",
            *lacking,
        ),
        (Table.of_figures("Articulation", COLUMNS, figures),),
        goals=(_goal(figures[ALL].bilabial_closure),),
    )


def articulate(
    cascade: Cascade, spoken: Sequence[Spoken], recorded: Sequence[Spoken], progress: Progress
) -> dict[str, ArticulationFigures]:
    """Mean figures on the mean face, by voice, over all voices, and over all with lips that rest in silence.

    Args:
        cascade: what moves the face.
        spoken: by synthetic voices.
        recorded: from people; counted by corpus.
        progress: told of every sentence.
    """
    figures: dict[str, list[ArticulationFigures]] = defaultdict(list)
    work = [(one, one.voice) for one in spoken] + [(one, RECORDED + one.voice) for one in recorded]
    for number, (one, voice) in enumerate(work):
        progress("articulation", number, len(work))
        figures[voice].append(figures_of(cascade, one))
    ungated = [one for voice, of_voice in figures.items() if not voice.startswith(RECORDED) for one in of_voice]
    gated = [figures_of(cascade, one, MotionControls(silence=1.0)) for one in spoken]
    progress("articulation", len(work), len(work))
    rows = {voice: ArticulationFigures.mean(of_voice) for voice, of_voice in figures.items()}
    return rows | {ALL: ArticulationFigures.mean(ungated), GATED: ArticulationFigures.mean(gated)}


def figures_of(
    cascade: Cascade, one: Spoken, controls: MotionControls = UNTOUCHED, rounded: frozenset[str] = ROUNDED
) -> ArticulationFigures:
    """Figures of one sentence on the mean face; `rounded` are the phones for which its lips shall round."""
    times = frame_times(len(one.waveform) / SAMPLE_RATE, FrameRate(int(CORPUS_FRAME_RATE)))
    motion = cascade.animate(one.waveform, SAMPLE_RATE, times, controls=controls)
    return articulation_figures(one.phones, motion.canonical, times, rounded)


def _goal(closure: float) -> Goal:
    return Goal("lips closed on p, b, m, share, synthetic voices", 0.95, closure, is_least=True)
