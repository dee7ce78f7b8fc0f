"""Turns the command line of `doctor` into one call."""

from __future__ import annotations

from typing import Annotated

import typer

from backend_server.commands.console import output, plain_failures


def doctor(
    is_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for programs.")] = False,
) -> None:
    """Says what is installed, what is missing, and how to repair it."""
    with plain_failures():
        from backend_server.commands import findings

        shown, is_healthy = findings.as_json() if is_json else findings.as_table()
    output.print(shown, soft_wrap=is_json, highlight=not is_json, markup=not is_json)
    raise typer.Exit(0 if is_healthy else 1)
