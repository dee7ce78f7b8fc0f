"""Turns the command line of `render` into one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import StageBars, output, plain_failures
from backend_server.export.formats import FrameFormat


def render(
    curves: Annotated[Path, typer.Argument(help="curves.json or landmarks.npz of `animate`, as it was or changed.")],
    identity: Annotated[Path, typer.Option(help="A file made by `adapt`, or the first digits of an ID.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    speech: Annotated[Path | None, typer.Option(help="The sound of the films; silent if left out.")] = None,
    first: Annotated[int, typer.Option(min=1, help="The first frame to draw, counted from 1.")] = 1,
    last: Annotated[int | None, typer.Option(min=1, help="The last one; the end if left out.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second of films; as the curves if left out.")] = None,
    frames_as: Annotated[
        FrameFormat, typer.Option(help="Pictures (EXR: linear, premultiplied), or a film; MP4 has no alpha.")
    ] = FrameFormat.PNG,
    size: Annotated[int, typer.Option(help="Pixels of the face a side: 256, or 512 or 1024 of a large photo.")] = 256,
    strict: Annotated[bool, typer.Option("--strict", help="Treat each note on the result as an error.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or auto for CUDA if there is a GPU.")] = "auto",
) -> None:
    """Draws a learnt face again with curves that were changed: frames with alpha, a preview film and a report."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.notebook import Notebook
        from backend_server.commands.redrawing import RedrawSettings, redraw
        from shared.timing import FrameRate

        settings = RedrawSettings(
            curves,
            identity,
            out,
            speech,
            first,
            last,
            FrameRate.from_decimal(fps) if fps is not None else None,
            frames_as,
            device,
            size,
        )
        count = redraw(settings, bars, bars.say, Notebook(bars.warn, is_strict=strict))
    output.print(f"{count} frames written to {out}", soft_wrap=True, markup=False, highlight=False)
