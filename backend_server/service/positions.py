"""Tells the clients of waiting jobs their places in the queue, a few in each turn of the loop."""

from __future__ import annotations

from collections.abc import Callable

from shared.protocol import Accepted, Message

_TOLD_PER_TURN = 32


class Positions:
    """What was told last.

    Args:
        queue: IDs of the waiting jobs, in order.
        tell: sends a message to the clients that follow its job.
    """

    def __init__(self, queue: Callable[[], list[str]], tell: Callable[[str, Message], None]) -> None:
        self._queue = queue
        self._tell = tell
        self._told: dict[str, int] = {}
        self._next: int | None = None  # place in the queue; None: all were told

    def change(self) -> None:
        """Notes that places have changed; those at the front are told first."""
        self._next = 0

    def tell_some(self, before: int) -> None:
        """Tells some of the places that have changed.

        Args:
            before: jobs that come before the whole queue.
        """
        if self._next is None:
            return
        queue, told = self._queue(), 0
        place = self._next
        while place < len(queue) and told < _TOLD_PER_TURN:
            job = queue[place]
            if self._told.get(job) != place + before:
                self._told[job] = place + before
                self._tell(job, Accepted(job=job, position=place + before))
                told += 1
            place += 1
        self._next = place if place < len(queue) else None
        if self._next is None:
            self._told = {job: self._told[job] for job in queue if job in self._told}
