"""Keeps the results of a job in order, and says when one that was lost must be asked for.

The backend numbers the results of a job 1, 2, ...; a request for the rest makes it send them again from the lost one
on. Results that were on their way before it read the request still arrive behind the gap.
"""

from __future__ import annotations

from enum import Enum, auto

from . import errors

MAX_REQUESTS = 3  # for one lost result


class Verdict(Enum):
    """What to do with a result."""

    TAKE = auto()
    IGNORE = auto()
    ASK = auto()  # for the results after `received`


class ResultOrder:
    """What has arrived of one job.

    Attributes:
        received: number of results that were taken.
    """

    def __init__(self) -> None:
        self.received = 0
        self._requests = 0  # for the next result
        self._highest = 0  # that arrived since the last request

    def judge(self, sequence: int) -> Verdict:
        """Whether the result with this number is the next one.

        Raises:
            SpeechFaceError: the next one does not come, however often it is asked for.
        """
        if sequence == self.received + 1:
            self.received, self._requests = sequence, 0
            return Verdict.TAKE
        if sequence <= self.received:
            return Verdict.IGNORE
        if self._requests and sequence > self._highest:  # it was on its way already
            self._highest = sequence
            return Verdict.IGNORE
        if self._requests == MAX_REQUESTS:
            raise errors.SpeechFaceError(
                f"result {self.received + 1} of the job is lost: after {MAX_REQUESTS} requests for it, the backend "
                f"sent result {sequence} instead; generate again, and read the backend's log if it stays"
            )
        self._requests += 1
        self._highest = sequence
        return Verdict.ASK

    def pass_over(self, sequence: int) -> None:
        """Notes that a result was not taken because there is no room for it now, and will be asked for later."""
        self._requests = max(self._requests, 1)
        self._highest = max(self._highest, sequence)

    def restart(self) -> None:
        """Notes a new connection: the backend is about to send everything after `received`."""
        self._requests = 0
