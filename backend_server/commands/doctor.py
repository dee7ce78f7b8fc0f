"""How is the state of the installation shown at a terminal?"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from backend_server.doctor import State, diagnose, is_healthy

COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


def doctor() -> tuple[Table, bool]:
    """Gives the findings as a table, and whether Speech Face can work."""
    findings = diagnose()
    table = Table("thing", "state")
    for title in ("found", "what to do"):
        table.add_column(title, overflow="fold")  # a path is never cut: it is there to be copied
    for finding in findings:
        state = f"[{COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(finding.name, state, Text(finding.what), Text(finding.mend))
    return table, is_healthy(findings)
