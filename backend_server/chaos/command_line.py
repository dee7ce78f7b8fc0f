"""Turns the command line of `chaos` into one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import StageBars, output, plain_failures


def chaos(
    out: Annotated[Path, typer.Option(help="Folder for chaos.json and chaos.md.")],
    injections: Annotated[int, typer.Option(min=1, help="Faults in all, the same number of each kind.")] = 1000,
    seed: Annotated[
        int, typer.Option(callback=lambda seed: seed % 2**32, help="Any whole number; the same gives the same faults.")
    ] = 0,
    short: Annotated[bool, typer.Option("--short", help="A little of everything, in about a minute.")] = False,
    latency: Annotated[bool, typer.Option("--latency", help="Time Pongs under heavy loads instead.")] = False,
    long_strip: Annotated[bool, typer.Option("--long-strip", help="Run a strip of an hour twice instead.")] = False,
    batch: Annotated[bool, typer.Option("--batch", help="Kill a batch at random moments instead.")] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Run a batch on one and two Ray nodes instead, and kill one.")
    ] = False,
    lines: Annotated[int, typer.Option(min=10, help="Of the batch, 1.5 s of speech each.")] = 1000,
    kills: Annotated[int, typer.Option(min=1, help="Of the batch, the same number of each kind.")] = 20,
) -> None:
    """Proves that nothing is lost: hostile messages, faults in the middle of jobs and batches, heavy loads."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.chaos import ChaosSettings, chaos

        settings = ChaosSettings(out, injections, seed, short, latency, long_strip, batch, cluster, lines, kills)
        tables, is_clean = chaos(settings, bars)
    output.print(tables)
    output.print(f"written to {out}")
    raise typer.Exit(0 if is_clean else 1)
