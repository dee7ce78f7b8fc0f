"""Shows the state of the installation at a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from backend_server.doctor import State, diagnose, is_healthy

COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


def doctor() -> tuple[Table, bool]:
    """Gives the findings as a table, and whether Speech Face can work."""
    findings = diagnose()
    table = Table("part", "state")
    for title in ("found", "what to do"):
        table.add_column(title, overflow="fold")  # paths are never shortened, so that they can be copied
    for finding in findings:
        state = f"[{COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(finding.name, state, Text(finding.what), Text(finding.advice))
    return table, is_healthy(findings)
