"""Asks for lists of jobs that are longer than one answer."""

from __future__ import annotations

from collections.abc import Callable

from .errors import ErrorCode, MessageError
from .health import MAX_LISTED_JOBS, JobHealth
from .protocol import Status, StatusReport


def list_jobs(ask: Callable[[Status], StatusReport], *, are_ended: bool = False) -> list[JobHealth]:
    """The jobs of a backend that have not ended, in the order in which they will run.

    Args:
        ask: asks one question and returns the answer.
        are_ended: those that have ended instead, whose results are kept, in the order in which they came.

    Raises:
        MessageError: the backend is of a release without lists.
    """
    found: dict[str, JobHealth] = {}
    first, is_over = 0, False
    while not is_over:
        listed = ask(Status(ended_from=first) if are_ended else Status(jobs_from=first)).listed
        if listed is None:
            raise MessageError(
                f"this backend lists no {'ended ' if are_ended else ''}jobs; start one of this release",
                code=ErrorCode.VERSION_MISMATCH,
            )
        found.update((job.id, job) for job in listed)
        first, is_over = first + len(listed), len(listed) < MAX_LISTED_JOBS
    return list(found.values())
