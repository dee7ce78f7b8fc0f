"""Defines how a person may shape the generated motion, and the range of each control.

The add-on's sliders, the fields of `AnimateRequest`, the options of `animate` and the cascade all read them here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from .errors import ValueRangeError


class Range(NamedTuple):
    """The smallest and the largest value of a control."""

    least: float
    most: float


RANGES = {
    "silence": Range(0.0, 1.0),
    "intensity": Range(0.0, 3.0),
    "smoothing": Range(0.0, 0.2),  # seconds
    "lead": Range(-0.2, 0.2),  # seconds
    "blink_gain": Range(0.0, 3.0),
    "blink_frequency": Range(0.1, 4.0),
    "blink_duration": Range(0.25, 4.0),
    "jaw": Range(0.0, 2.0),
    "lips": Range(0.0, 2.0),
    "brows": Range(0.0, 2.0),
    "eyes": Range(0.0, 2.0),
    "liveliness": Range(0.0, 1.5),
}

LIVELINESS = 0.3  # what programs offer at first: a little more than people who read to a camera


@dataclass(frozen=True)
class MotionControls:
    """Changes to the motion that the networks make; the defaults change nothing.

    Attributes:
        silence: how much jaw and lips rest where nobody speaks: 0 not at all, 1 completely.
        intensity: multiplies the speech displacements.
        smoothing: standard deviation of a Gaussian along time, seconds; 0 is off. Lips that close stay closed.
        lead: seconds by which the mouth moves before the sound; below 0 it moves after it.
        blink_gain: multiplies the blink displacements; 0 keeps the eyes open.
        blink_frequency: how many times as often as usual the eyes blink.
        blink_duration: how many times as long as usual a blink takes.
        jaw: multiplies how far the jaw opens and moves, with the chin and what hangs on it. Lips that touch still do.
        lips: multiplies what the lips do beyond the jaw: width, rounding, raising. Lips that touch still do.
        brows: multiplies the motion of the brows.
        eyes: multiplies how far the lids close and open; they never cross for that.
        liveliness: how much the head moves by itself, and the brows with the voice: 0 not at all, 0.2 as people who
            read to a camera, 1 as in lively talk.

    Raises:
        ValueRangeError: a value lies outside its range.
    """

    silence: float = 0.0
    intensity: float = 1.0
    smoothing: float = 0.0
    lead: float = 0.0
    blink_gain: float = 1.0
    blink_frequency: float = 1.0
    blink_duration: float = 1.0
    jaw: float = 1.0
    lips: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    liveliness: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, bounds = getattr(self, field.name), RANGES[field.name]
            if not bounds.least <= value <= bounds.most:  # NaN lies in no range
                name = field.name.replace("_", " ")
                raise ValueRangeError(
                    f"the {name} is {value:g}; choose a value from {bounds.least:g} to {bounds.most:g}"
                )


UNTOUCHED = MotionControls()
