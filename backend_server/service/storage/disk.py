"""Does work on disk beside the loop, which asks later what became of it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

LOG = logging.getLogger(__name__)

Then = Callable[[object, Exception | None], None]  # what the work returned, or what it raised


class DiskThread:
    """Does pieces of work in their order, one after the other.

    Args:
        name: of the thread.
        count: of threads; with more than one, pieces may overtake each other.
    """

    def __init__(self, name: str, count: int = 1) -> None:
        self._threads = ThreadPoolExecutor(count, name)
        self._pending: deque[tuple[Future[object], Then, int]] = deque()
        self.pending_bytes = 0

    @property
    def is_busy(self) -> bool:
        """Whether something is not done, or its result was not collected."""
        return bool(self._pending)

    def submit(self, work: Callable[[], object], then: Then, size: int = 0) -> None:
        """Begins a piece of work; `collect` calls `then` with what came of it.

        Args:
            work: runs in the thread.
            then: runs in the loop.
            size: bytes that the work keeps in memory until it is done.
        """
        self.pending_bytes += size
        self._pending.append((self._threads.submit(work), then, size))

    def collect(self) -> None:
        """Calls `then` for all that is done."""
        for _ in range(len(self._pending)):
            future, then, size = self._pending.popleft()
            if not future.done():
                self._pending.appendleft((future, then, size))
                return
            self.pending_bytes -= size
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            try:
                then(None if error else future.result(), error)
            except Exception:
                LOG.exception("what was done on disk cannot be taken note of")

    def settle(self) -> None:
        """Waits until everything is done, and collects it."""
        while self._pending:
            wait([future for future, _, _ in self._pending])
            self.collect()

    def close(self) -> None:
        """Waits until everything is done; what was not begun by several threads is left out."""
        self._threads.shutdown()
