"""Writes the figures of an evaluation down, as a page for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend_server.evaluation.goals import Goal
from backend_server.metrics.figures import Figures

TEMPLATE = Path(__file__).with_name("report.html")

Value = float | str


@dataclass(frozen=True)
class Table:
    """Figures in rows.

    Attributes:
        title: what is measured on what.
        columns: names of the figures.
        rows: a name and its figures, one a column; NaN where there is none.
        is_detail: whether the page shows its title alone until somebody opens it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Value, ...]], ...]
    is_detail: bool = False

    @classmethod
    def of_figures(
        cls, title: str, columns: Sequence[str], rows: Mapping[str, Figures], *, is_detail: bool = False
    ) -> Self:
        """A table of figures of one kind, by name; the columns name their fields in order."""
        named = tuple((name, astuple(figures)) for name, figures in rows.items())
        return cls(title, tuple(columns), named, is_detail)

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [f"### {self.title}", "", f"| | {' | '.join(self.columns)} |", "|---" * (len(self.columns) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(words(value) for value in values)} |" for name, values in self.rows]
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, dict[str, Value | None]]:
        """The table as row name -> column -> value; None where there is none."""
        return {name: dict(zip(self.columns, map(_json_value, values), strict=True)) for name, values in self.rows}


@dataclass(frozen=True)
class Picture:
    """A picture file in the report's folder and what it shows."""

    file: str
    caption: str


@dataclass(frozen=True)
class Section:
    """What one experiment adds to the report: paragraphs, then pictures, then tables, and goals for the first table."""

    title: str
    paragraphs: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    goals: tuple[Goal, ...] = ()


def goals_section(sections: Sequence[Section]) -> Section:
    """All goals of the sections with what was measured."""
    goals = [goal for section in sections for goal in section.goals]
    rows = tuple((goal.name, (goal.wanted, words(goal.measured), goal.outcome, goal.source)) for goal in goals)
    return Section("Goals", (), (Table("Goals", ("goal", "measured", "reached", "set by"), rows),))


def words(value: Value) -> str:
    """A figure as people read it: three digits behind the point, a dash where there is none."""
    if isinstance(value, str):
        return value
    return "–" if math.isnan(value) else f"{value:.3f}"


def write_report(folder: Path, title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """Writes report.html and report.json and returns the tables as Markdown.

    Args:
        folder: an existing folder, in which the pictures already lie.
        title: heading of the page.
        facts: weights, machine, date, command and the like.
        sections: in reading order.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template(TEMPLATE.name).render(title=title, facts=facts, sections=sections, words=words)
    (folder / "report.html").write_text(page + "\n", encoding="utf-8")
    tables = [table for section in sections for table in section.tables]
    document = {"facts": dict(facts), "tables": {table.title: table.document() for table in tables}}
    (folder / "report.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return "\n".join(table.markdown() for table in tables)


def _json_value(value: Value) -> Value | None:
    return None if isinstance(value, float) and math.isnan(value) else value
