"""Counts what became of the jobs and messages of each kind of fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.table import Table

COLUMNS = (
    *("injections", "completed", "retried", "failed with a reason"),
    *("LOST", "TWICE", "SERVER DEAD", "HUNG", "UNNAMED", "LEFT OVER"),
)
BAD = frozenset(("LOST", "TWICE", "SERVER DEAD", "HUNG", "UNNAMED", "LEFT OVER"))
_EXAMPLES = 4  # sentences kept of each column


@dataclass
class Counts:
    """The counts of one kind.

    Attributes:
        kind: of fault or message.
        numbers: by the names of `COLUMNS`.
        examples: what was said or seen, a few of each column.
    """

    kind: str
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, column: str, sentence: str = "") -> None:
        """Counts one more, and keeps what was said if little is kept yet."""
        self.numbers[column] += 1
        kept = self.examples.setdefault(column, [])
        if sentence and len(kept) < _EXAMPLES and sentence[:300] not in kept:
            kept.append(sentence[:300])

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not any(self.numbers[column] for column in BAD)


def totals(rows: list[Counts]) -> Counts:
    """The sum of all kinds."""
    whole = Counts("all")
    for row in rows:
        for column, number in row.numbers.items():
            whole.numbers[column] += number
    return whole


def markdown(rows: list[Counts]) -> str:
    """The table of a page."""
    lines = [
        "| kind | " + " | ".join(COLUMNS) + " |",
        "|---|" + "--:|" * len(COLUMNS),
        *(
            f"| {row.kind} | " + " | ".join(str(row.numbers[column]) for column in COLUMNS) + " |"
            for row in (*rows, totals(rows))
        ),
    ]
    return "\n".join(lines) + "\n"


def table(rows: list[Counts]) -> Table:
    """The table for the terminal; columns of things that never happened are left out, if they are bad."""
    whole = totals(rows)
    columns = [column for column in COLUMNS if whole.numbers[column] or column not in BAD]
    shown = Table("kind", *columns)
    shown.columns[0].no_wrap = True
    for row in (*rows, whole):
        numbers = ((column, row.numbers[column]) for column in columns)
        shown.add_row(row.kind, *(f"[red]{n}[/red]" if column in BAD and n else str(n) for column, n in numbers))
    return shown
