"""Counts how jobs ended since the service began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from shared.health import JobCounts
from shared.protocol import Cancelled, Done, Failed, Message


class Tally:
    """The counts of one service. A job counts once, when its end is stored."""

    def __init__(self) -> None:
        self._coming: dict[str, Message] = {}  # ends that are being stored
        self._done = self._cancelled = self._retried = 0
        self._failed: Counter[str] = Counter()

    def expect(self, job: str, end: Message) -> None:
        """Notes with which message a job will end; a later one replaces it."""
        self._coming[job] = end

    def forget(self, job: str) -> None:
        """Notes that a job was never stored."""
        self._coming.pop(job, None)

    def note_end(self, job: str) -> None:
        """Counts a job whose end is stored."""
        match self._coming.pop(job, None):
            case Done():
                self._done += 1
            case Cancelled():
                self._cancelled += 1
            case Failed(code=code):
                self._failed[code.value] += 1

    def note_retry(self) -> None:
        """Counts that a job is tried again."""
        self._retried += 1

    def counts(self, by_state: Mapping[str, int]) -> JobCounts:
        """The counts, with those of the jobs that are kept."""
        return JobCounts(
            by_state=dict(by_state),
            done=self._done,
            failed=dict(self._failed),
            cancelled=self._cancelled,
            retried=self._retried,
        )
