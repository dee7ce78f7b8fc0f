"""Runs the commands for people who look after a service: how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import output, plain_failures

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def status(
    connection_file: Annotated[Path | None, typer.Option(help="Of the backend; the usual place if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Says how a running backend is; the exit code is 0 when it is ready, 1 when not, 2 when none answers."""
    with plain_failures():
        from backend_server.commands import status as show
        from backend_server.service.health import READY
        from backend_server.service.inquiry import ask_status
        from shared.endpoint import default_connection_file

        report = ask_status(connection_file or default_connection_file())
    if as_json:
        output.out(show.as_json(report), highlight=False)
    else:
        output.print(show.status_table(report))
    raise typer.Exit(0 if report.state == READY else 1)
