"""How are the figures of an evaluation written down, for people and for programs?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportTable:
    """One table: a title, what the columns are, and rows of a name and figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | str, ...]], ...]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [f"### {self.title}", "", f"| | {' | '.join(self.columns)} |", "|---" * (len(self.columns) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(_words(value) for value in values)} |" for name, values in self.rows]
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, dict[str, float | str]]:
        """The table as row name -> column -> value."""
        return {name: dict(zip(self.columns, values, strict=True)) for name, values in self.rows}


def write_report(
    folder: Path, facts: Mapping[str, str], tables: Sequence[ReportTable], pictures: Sequence[tuple[str, str]]
) -> str:
    """Writes report.md and report.json and returns the tables as Markdown.

    Args:
        folder: an existing folder.
        facts: machine, date, weights and the like.
        tables: in reading order.
        pictures: file name in `folder` and what it shows.
    """
    body = "\n".join(table.markdown() for table in tables)
    head = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    shown = "\n".join(f"![{caption}]({name})\n\n{caption}\n" for name, caption in pictures)
    (folder / "report.md").write_text(f"# Evaluation\n\n{head}\n\n{body}\n{shown}", encoding="utf-8")
    document = {"facts": dict(facts), "tables": {table.title: table.document() for table in tables}}
    (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return body


def _words(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"
