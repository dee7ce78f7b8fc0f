"""Gives lines to workers and collects what came of them; which workers these are, is no matter here.

`local` and `cluster` have the two kinds. Both return futures of `concurrent.futures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import Protocol, TypeVar

from backend_server.batch.order import Character, Face, Job, Outcome

LOOK_SECONDS = 0.2  # Windows lets Ctrl-C through only between two waits

Given = TypeVar("Given")
Made = TypeVar("Made")


class Workers(Protocol):
    """Workers that do one thing at a time each.

    A future fails only if its worker died, or could not start.
    """

    @property
    def most_waiting(self) -> int:
        """How many jobs they take at once, those in work included."""
        ...

    def ready(self) -> Future[str]:
        """Why a worker cannot work; empty if it can."""
        ...

    def make(self, job: Job) -> Future[Outcome]:
        """Makes a line."""
        ...

    def learn(self, character: Character, is_rendered: bool) -> Future[Face]:
        """Learns a face."""
        ...

    def finish(self) -> None:
        """Says that no more jobs will come."""
        ...

    def stop(self) -> None:
        """Ends all workers at once, also in the middle of their jobs."""
        ...


def as_completed(
    given: Iterable[Given], start: Callable[[Given], Future[Made]], most: int, finish: Callable[[], None] = lambda: None
) -> Iterator[tuple[Given, Future[Made]]]:
    """Each thing with its future, once that is done; only `most` are under way at a time.

    Args:
        given: in this order.
        start: begins the work on one.
        most: how many are begun before one is done.
        finish: called when the last one was begun.
    """
    left = iter(given)
    under_way: dict[Future[Made], Given] = {}
    while True:
        under_way |= {start(one): one for one in islice(left, most - len(under_way))}
        if len(under_way) < most:
            finish()
        if not under_way:
            return
        for future in wait(under_way, LOOK_SECONDS, FIRST_COMPLETED).done:
            yield under_way.pop(future), future
