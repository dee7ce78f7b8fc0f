"""Writes files while the next pictures are made."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec

Given = ParamSpec("Given")
_MOST_THREADS = 8


class Writers:
    """Threads that write one file each; a caller who gives them too many waits.

    All files are whole when the block ends. If writing one fails, a later call or the end of the block raises the
    error, and the rest is not written.

    Args:
        threads: how many; one for each core, at most eight, if None.
    """

    def __init__(self, threads: int | None = None) -> None:
        threads = threads or min(_MOST_THREADS, os.cpu_count() or 1)
        self._threads, self._most_waiting = ThreadPoolExecutor(threads, "writer"), 2 * threads
        self._waiting: deque[Future[None]] = deque()

    def __call__(self, write: Callable[Given, None], *args: Given.args, **kwargs: Given.kwargs) -> None:
        """Runs `write(*args, **kwargs)` in a thread."""
        while len(self._waiting) >= self._most_waiting:
            self._waiting.popleft().result()
        self._waiting.append(self._threads.submit(write, *args, **kwargs))

    def __enter__(self) -> Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._threads.shutdown(cancel_futures=True)
