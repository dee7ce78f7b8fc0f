"""Shows the shape that the mouth takes in each phone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.motion import articulate
from backend_server.articulation.phones import PHONES, SILENCE, TimedPhone
from backend_server.articulation.visemes import VisemeTable, load_visemes, visemes_beside
from backend_server.evaluation.page.report import Picture, Section
from backend_server.evaluation.page.sheets import LIPS, Drawing, Outline, write_drawings
from backend_server.evaluation.run import Context
from backend_server.export.contact_sheet import ACCENT

PICTURE = "visemes.png"
PHONES_PER_ROW = 9
HELD_SECONDS = 0.3  # so long that a phone reaches its target
SEGMENTS = ("jaw", *LIPS)
WINDOW = (-0.65, 0.65, 1.4, 0.25)  # canonical units


def run(context: Context) -> Section:
    """The lower face in every phone over the face at rest; diphthongs at their beginning and, thin, at their end.

    Raises:
        WeightsError: the table of visemes cannot be read.
    """
    table = visemes_beside(context.settings.weights) or load_visemes()
    drawings = [_drawing(phone, table) for phone in PHONES]
    rows = [("", drawings[first : first + PHONES_PER_ROW]) for first in range(0, len(drawings), PHONES_PER_ROW)]
    write_drawings(context.folder / PICTURE, rows, (1.7, 1.75))
    return Section(
        "Visemes",
        ("The mouth that each phone asks of the motion by which speech without pictures is learnt.",),
        pictures=(Picture(PICTURE, "Each phone over the face at rest; thin: the end of a diphthong."),),
    )


def shape_of(phone: str, moment: float, table: VisemeTable) -> NDArray[np.float32]:
    """The face (68, 2) in a long phone between silences, at a share of its length."""
    sounding = TimedPhone(phone, 1.0, 1.0 + HELD_SECONDS)
    phones = (TimedPhone(SILENCE, 0.0, 1.0), sounding, TimedPhone(SILENCE, sounding.end, sounding.end + 1.0))
    return table.neutral + articulate(phones, np.array([1.0 + moment * HELD_SECONDS]), table)[0]


def _drawing(phone: str, table: VisemeTable) -> Drawing:
    outlines = (
        Outline(table.neutral, SEGMENTS, "#b0b8c4", width=0.8),
        Outline(shape_of(phone, 0.75, table), SEGMENTS, ACCENT, width=0.8),
        Outline(shape_of(phone, 0.4, table), SEGMENTS, width=1.6),
    )
    return Drawing(outlines, WINDOW, phone)
