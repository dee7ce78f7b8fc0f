"""Reads photos and sound of an order in slices, so that the window is drawn between them and a user can cancel."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import bpy

from . import orders, stages
from .job_request import JobRequest
from .slices import Sliced, Slices

Made = tuple[orders.Plan, JobRequest]


class Reader:
    """One order that is being read.

    Attributes:
        order: whose.
        shown: how much was read.
    """

    def __init__(self, context: bpy.types.Context, order: orders.Order) -> None:
        self.order = order
        self.shown = orders.Reading(stages.READING_PHOTOS, 0, 0)
        self._sliced: Sliced[Made] = Sliced(self._shares(orders.prepare(context, order)))

    @property
    def made(self) -> Made | None:
        """What came of it; None before all is read."""
        return self._sliced.result

    def tick(self, seconds: float) -> None:
        """Reads for about this long.

        Raises:
            SpeechFaceError: something is missing or unusable.
        """
        self._sliced.step(seconds)

    def close(self) -> None:
        """Stops, and deletes what was written for reading."""
        self._sliced.cancel()

    def _shares(self, reading: Generator[orders.Reading, None, Made]) -> Slices[Made]:
        with closing(reading):
            while True:
                try:
                    self.shown = next(reading)
                except StopIteration as ended:
                    return ended.value
                yield self.shown.step / max(1, self.shown.steps)
