"""Takes all steps of work that is divided into them. No bpy here."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def at_once(work: Generator[object, None, Result]) -> Result:
    """Takes all steps, and returns what came of them."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            return ended.value
