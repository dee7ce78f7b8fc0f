"""Says how the backend asks its clients to pause their uploads.

A backend whose disk is behind sends `Progress` of the stage `STAGE` and of no job to all its clients. They send no more
chunks until the last step of that stage comes, or until `PAUSE_SECONDS` have passed without another; small messages go
on. A program that does not know the stage can ignore it like the progress of any job that is not its own. No sockets.
"""

from __future__ import annotations

from collections.abc import Callable

from .protocol import HEARTBEAT_SECONDS, Message, Progress

STAGE = "waiting for the backend's disk"
PAUSE_SECONDS = 3 * HEARTBEAT_SECONDS  # the backend asks again every second


def begin() -> Progress:
    """Asks a client to pause its uploads."""
    return Progress(stage=STAGE, step=0, steps=1)


def end() -> Progress:
    """Tells a client that its uploads may go on."""
    return Progress(stage=STAGE, step=1, steps=1)


class UploadPause:
    """Whether the uploads of one connection pause.

    Args:
        clock: gives seconds, and never runs backwards.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether no chunk may be sent now."""
        return self._until is not None and self._clock() < self._until

    def take(self, message: Message) -> bool:
        """Whether a message begins or ends a pause; if so, it is noted."""
        if not isinstance(message, Progress) or message.job or message.stage != STAGE:
            return False
        self._until = None if message.step >= message.steps else self._clock() + PAUSE_SECONDS
        return True

    def end(self) -> None:
        """Ends the pause, as the connection has ended."""
        self._until = None
