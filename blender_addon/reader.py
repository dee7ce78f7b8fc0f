"""Reads photos and sound of an order in steps, so that the window is drawn between them and a user can cancel."""

from __future__ import annotations

import time

import bpy

from . import orders, stages
from .job import JobRequest


class Reader:
    """One order that is being read.

    Attributes:
        order: whose.
        shown: how much was read.
        made: what came of it; None before.
    """

    def __init__(self, context: bpy.types.Context, order: orders.Order) -> None:
        self.order = order
        self.shown = orders.Reading(stages.READING_PHOTOS, 0, 0)
        self.made: tuple[orders.Plan, JobRequest] | None = None
        self._work = orders.prepare(context, order)

    def tick(self, budget: float) -> None:
        """Takes steps for so many seconds, at least one.

        Raises:
            SpeechFaceError: something is missing or unusable.
        """
        deadline = time.monotonic() + budget
        try:
            self.shown = next(self._work)
            while time.monotonic() < deadline:
                self.shown = next(self._work)
        except StopIteration as ended:
            self.made = ended.value

    def close(self) -> None:
        """Stops, and deletes what was written for reading."""
        self._work.close()
