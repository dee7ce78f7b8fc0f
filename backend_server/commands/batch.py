"""Turns the command line of `batch` into one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import StageBars, output, plain_failures


def batch(
    out: Annotated[Path, typer.Option(help="Folder for the results: one folder for each line, and the report.")],
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="MANIFEST|FOLDER", help="A CSV table of lines, or a folder of sounds; not with --resume."
        ),
    ] = None,
    characters: Annotated[
        Path | None, typer.Option(help="JSON that describes the characters; the mean face if left out.")
    ] = None,
    outputs: Annotated[str, typer.Option(help="Of lines that name none, with commas.")] = "curves,arkit",
    fps: Annotated[float, typer.Option(help="Frames per second: 25, 23.976, 29.97 ...")] = 25.0,
    seed: Annotated[
        int, typer.Option(callback=lambda seed: seed % 2**32, help="Any whole number; the same gives the same result.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was begun in OUT, as it was asked for then.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one per core.")] = 0,
    ray: Annotated[str | None, typer.Option(help="Address of a Ray cluster, whose machines do the work.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or auto for CUDA if there is a GPU.")] = "auto",
) -> None:
    """Animates many lines unattended; what is done and unchanged is left as it is.

    Ends with code 0 if all lines are done, 1 if some failed, 2 if the manifest is wrong.
    """
    with plain_failures(), StageBars() as bars:
        from backend_server.batch.run import BatchSettings, Order, run_batch
        from shared.timing import FrameRate

        wanted = tuple(name.strip() for name in outputs.split(",") if name.strip())
        where = str(characters.resolve()) if characters else None
        order = Order(str(source.resolve()), where, wanted, FrameRate.from_decimal(fps), seed) if source else None
        settings = BatchSettings(order, out, resume, jobs, ray, device)
        summary = run_batch(settings, bars, bars.say, bars.warn)
    output.print(f"{summary}; the report is {out / 'report.html'}", soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(1 if summary.failed else 0)
