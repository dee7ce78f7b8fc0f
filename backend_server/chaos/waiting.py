"""Waits for conditions with a deadline, so that nothing here waits for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.01


def wait_until(is_true: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
