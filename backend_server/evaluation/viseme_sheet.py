"""Which shape does the mouth take in each phone, on one page?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backend_server.articulation.motion import articulate
from backend_server.articulation.phones import PHONES, SILENCE, TimedPhone
from backend_server.articulation.visemes import VisemeTable, load_visemes
from backend_server.evaluation.report import Picture, Section
from backend_server.export.contact_sheet import ACCENT, INK
from shared.landmarks import INNER_LIPS, JAW, OUTER_LIPS

PICTURE = "visemes.png"
COLUMNS = 9
HELD_SECONDS = 0.3  # so long that a phone reaches its target
_WINDOW = ((-0.65, 0.65), (1.4, 0.25))  # canonical units: x from left to right, y from bottom to top


def shape_of(phone: str, moment: float, table: VisemeTable) -> NDArray[np.float32]:
    """The face (68, 2) in a long phone between silences, at a share of its length."""
    sounding = TimedPhone(phone, 1.0, 1.0 + HELD_SECONDS)
    phones = (TimedPhone(SILENCE, 0.0, 1.0), sounding, TimedPhone(SILENCE, sounding.end, sounding.end + 1.0))
    return table.neutral + articulate(phones, np.array([1.0 + moment * HELD_SECONDS]), table)[0]


def write_viseme_sheet(path: Path, table: VisemeTable | None = None) -> None:
    """Draws the lower face in every phone over the face at rest; diphthongs at their beginning and, thin, at their end.

    Args:
        path: a PNG file.
        table: of visemes; the shipped one when None.

    Raises:
        WeightsError: the shipped table cannot be read.
    """
    table = table or load_visemes()
    figure = Figure(figsize=(1.7 * COLUMNS, 1.75 * -(-len(PHONES) // COLUMNS)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(-(-len(PHONES) // COLUMNS), COLUMNS)
    for axes, phone in zip(grid.flat, [*PHONES, *[""] * (grid.size - len(PHONES))], strict=True):
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(*_WINDOW[0])
        axes.set_ylim(*_WINDOW[1])
        if not phone:
            continue
        axes.set_title(phone, fontsize=10)
        _draw(axes, table.neutral, "#b0b8c4", 0.8)
        _draw(axes, shape_of(phone, 0.75, table), ACCENT, 0.8)
        _draw(axes, shape_of(phone, 0.4, table), INK, 1.6)
    figure.savefig(path, dpi=100)


def viseme_section(folder: Path, table: VisemeTable | None = None) -> Section:
    """The sheet as a part of a report.

    Args:
        folder: of the report.
        table: of visemes; the shipped one when None.

    Raises:
        WeightsError: the shipped table cannot be read.
    """
    write_viseme_sheet(folder / PICTURE, table)
    return Section(
        "Visemes",
        ("The mouth that each phone asks of the motion by which speech without pictures is learnt.",),
        pictures=(Picture(PICTURE, "Each phone over the face at rest; thin: the end of a diphthong."),),
    )


def _draw(axes: Axes, shape: NDArray[np.float32], colour: str, width: float) -> None:
    for segment, is_closed in ((JAW, False), (OUTER_LIPS, True), (INNER_LIPS, True)):
        points = shape[segment]
        points = np.concatenate([points, points[:1]]) if is_closed else points
        axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=width)
