"""Measures articulation in languages other than English, none of which the acoustic model was taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend_server.articulation.phones import BILABIALS, ROUNDED
from backend_server.cascade import Cascade
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.motion.articulation import figures_of
from backend_server.evaluation.motion.sentences import ENGLISH
from backend_server.evaluation.motion.spoken import Spoken, speak_languages
from backend_server.evaluation.page.report import Section, Table
from backend_server.evaluation.run import Context
from backend_server.metrics.articulation import ArticulationFigures
from backend_server.metrics.figures import Figures
from backend_server.progress import Progress
from shared.errors import SpeechFaceError

TITLE = "Articulation by language"
MEAN, WORST = "mean of the others than English", "worst of them"
ROUNDED_ELSEWHERE = ROUNDED | {"AO"}  # o is rounded in all these languages, if not in every American's mouth
COLUMNS = ("lips closed on p, b, m", "lips closed in mid-vowel", "rounding, deviations", "closed in pauses")
CLOSURE_GOALS = (0.93, 0.85)  # mean and worst


@dataclass(frozen=True)
class LanguageFigures(Figures):
    """Figures of one language, or their means; those of `ArticulationFigures` under the same names."""

    bilabial_closure: float
    vowel_closure: float
    rounding: float
    pause_closure: float

    @classmethod
    def of(cls, figures: Sequence[ArticulationFigures]) -> LanguageFigures:
        """Means over sentences."""
        mean = ArticulationFigures.mean(figures)
        return cls(mean.bilabial_closure, mean.vowel_closure, mean.rounding, mean.pause_closure)

    @classmethod
    def worst(cls, figures: Sequence[LanguageFigures]) -> LanguageFigures:
        """The worst value of each figure."""
        return cls(
            min(one.bilabial_closure for one in figures),
            max(one.vowel_closure for one in figures),
            min(one.rounding for one in figures),
            min(one.pause_closure for one in figures),
        )


def run(context: Context) -> Section:
    """One row a language, with mean and worst of all but English; the reason where nothing can be spoken."""
    try:
        said = {ENGLISH: context.spoken} | speak_languages(context.progress)
    except SpeechFaceError as error:
        return Section(TITLE, (f"Not measured: {error}",), goals=goals({}))
    figures = judge_languages(context.cascade, said, context.progress)
    return Section(
        TITLE,
        (
            "The timbres of the synthetic voices above say eight sentences in each language; English is all of the "
            "sentences above. Nobody listened to how good an accent they have: what counts is that the time of every "
            "sound is known. Rounding is by how much narrower the mouth is in rounded vowels and glides than in spread "
            "vowels, in standard deviations of the width in speech: 0 is a mouth that does not care, below 0 one that "
            "does the opposite. Unlike above, o counts as rounded.",
        ),
        (_table(said, figures),),
        goals=goals(figures),
    )


def judge_languages(
    cascade: Cascade, said: Mapping[str, Sequence[Spoken]], progress: Progress
) -> dict[str, LanguageFigures]:
    """Mean figures by language.

    Args:
        cascade: what moves the face.
        said: sentences by language.
        progress: told of every sentence.
    """
    done, total = 0, sum(len(sentences) for sentences in said.values())
    figures = {}
    for language, sentences in said.items():
        of_language = []
        for one in sentences:
            progress("languages", done, total)
            of_language.append(figures_of(cascade, one, rounded=ROUNDED_ELSEWHERE))
            done += 1
        figures[language] = LanguageFigures.of(of_language)
    progress("languages", total, total)
    return figures


def others(figures: Mapping[str, LanguageFigures]) -> list[LanguageFigures]:
    """Figures of all languages but English."""
    return [one for language, one in figures.items() if language != ENGLISH]


def goals(figures: Mapping[str, LanguageFigures]) -> tuple[Goal, ...]:
    """The closed lips of the other languages, on average and in the worst."""
    closures = [one.bilabial_closure for one in others(figures)] or [float("nan")]
    measured = (sum(closures) / len(closures), min(closures))
    return tuple(
        Goal(f"lips closed on p, b, m, other languages, {name}", limit, value, is_least=True)
        for name, limit, value in zip(("mean", "worst"), CLOSURE_GOALS, measured, strict=True)
    )


def _table(said: Mapping[str, Sequence[Spoken]], figures: Mapping[str, LanguageFigures]) -> Table:
    rows = dict(figures)
    if elsewhere := others(figures):
        rows |= {MEAN: LanguageFigures.mean(elsewhere), WORST: LanguageFigures.worst(elsewhere)}
    counts = {language: str(_bilabials(sentences)) for language, sentences in said.items()}
    table = Table.of_figures(TITLE, COLUMNS, rows)
    return Table(
        TITLE,
        ("p, b, m said", *COLUMNS),
        tuple((name, (counts.get(name, ""), *values)) for name, values in table.rows),
    )


def _bilabials(sentences: Sequence[Spoken]) -> int:
    return sum(phone.name in BILABIALS for one in sentences for phone in one.phones)
