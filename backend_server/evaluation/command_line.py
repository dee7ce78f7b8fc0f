"""Turns the command line of `evaluate` into one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import StageBars, output, plain_failures


def evaluate(
    data: Annotated[Path, typer.Option(help="A corpus made by `prepare`.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    speech: Annotated[Path | None, typer.Option(help="Transcribed speech, for the character error rate.")] = None,
    ablations: Annotated[bool, typer.Option(help="Also train networks with other contexts, losses and parts.")] = False,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Also train motion without each of ten people and judge it on them.")
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each such training of motion.")] = 15,
    texture_updates: Annotated[int, typer.Option(min=1, help="Updates of each such training of texture.")] = 400,
    texture_minutes: Annotated[float, typer.Option(min=0.01, help="Minutes of each of these, at most.")] = 15,
    motion: Annotated[bool, typer.Option(help="Judge motion, blinks and hearing.")] = True,
    texture: Annotated[bool, typer.Option(help="Render the held-out people and judge their faces.")] = True,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or auto for CUDA if there is a GPU.")] = "auto",
    weights: Annotated[Path | None, typer.Option(help="Folder of the weights; the shipped ones if left out.")] = None,
    identity: Annotated[Path | None, typer.Option(help="Weights of MobileFaceNet, to compare faces.")] = None,
    beside: Annotated[
        Path | None, typer.Option(help="Weights of another texture network, judged and drawn beside that of --weights.")
    ] = None,
    talkers: Annotated[
        Path | None, typer.Option(help="A further corpus, whose val clips are judged as faces; none is shown.")
    ] = None,
    portraits: Annotated[Path | None, typer.Option(help="Folder of photos whose mouths are drawn opening.")] = None,
) -> None:
    """Measures motion, blinks, hearing and texture on held-out sentences and people; writes a page."""
    with plain_failures(), StageBars() as bars:
        from backend_server.checkpoints import WEIGHTS_DIR
        from backend_server.commands.evaluate import evaluate
        from backend_server.evaluation.run import Budget, Settings

        settings = Settings(
            data,
            out,
            speech,
            ablations,
            epochs,
            motion,
            texture,
            device,
            weights or WEIGHTS_DIR,
            identity,
            Budget(texture_updates, texture_minutes),
            leave_one_out,
            beside,
            talkers,
            portraits,
        )
        tables = evaluate(settings, bars)
    output.print(tables, soft_wrap=True, markup=False, highlight=False)
    output.print(f"written to {out / 'report.html'}")
