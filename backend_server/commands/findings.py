"""Shows the state of the installation at a terminal, or as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from backend_server.doctor import State, devices, diagnose, is_healthy

COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


def as_table() -> tuple[Table, bool]:
    """Gives the findings as a table, and whether Speech Face can work."""
    findings = diagnose()
    table = Table("part", "state")
    for title in ("found", "what to do"):
        table.add_column(title, overflow="fold")  # paths are never shortened, so that they can be copied
    for finding in findings:
        state = f"[{COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(finding.name, state, Text(finding.what), Text(finding.advice))
    return table, is_healthy(findings)


def as_json() -> tuple[str, bool]:
    """Gives the findings and the devices as one line of JSON, and whether Speech Face can work."""
    findings = diagnose()
    is_well = is_healthy(findings)
    content = {"healthy": is_well, "devices": devices(), "findings": [asdict(finding) for finding in findings]}
    return json.dumps(content), is_well
