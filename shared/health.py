"""Defines what a backend tells of its worker and of its jobs in a `StatusReport`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Counts = Annotated[dict[str, _Count], Meta(max_length=256)]
_Text = Annotated[str, Meta(max_length=20_000)]
_Word = Annotated[str, Meta(max_length=200)]

PARKED = "parked"  # state of a queued job that no client has asked for since the restart
DELIVERED = "delivered"  # state of an ended job whose results a client has got
MAX_LISTED_JOBS = 500  # in one report, which then has less than half a megabyte


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The worker process.

    Attributes:
        pid: its process ID.
        memory_bytes: that it occupies.
        job: ID of the job it does; empty if none.
        stage: of that job; empty before the first progress report.
        step: how much of the stage is done.
        steps: of the stage.
        seconds_left: of the stage; None while unknown.
    """

    pid: _Count
    memory_bytes: _Count = 0
    job: _Text = ""
    stage: _Text = ""
    step: _Count = 0
    steps: _Count = 0
    seconds_left: Annotated[float, Meta(ge=0.0)] | None = None


class JobCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs in numbers.

    Attributes:
        by_state: arriving, queued, running, ended -> jobs that the backend keeps now.
        done: jobs that succeeded since the backend began.
        failed: code of the failure -> jobs that failed since then.
        cancelled: jobs that were cancelled since then.
        retried: how often a job was tried again since then.
    """

    by_state: _Counts = {}
    done: _Count = 0
    failed: _Counts = {}
    cancelled: _Count = 0
    retried: _Count = 0


class JobHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One job.

    Attributes:
        id: of the job.
        kind: one of `protocol.KINDS`, such as "adapt"; empty if unknown.
        state: "running", "queued", "parked" (queued before a restart, no client has come back for it) or
            "arriving"; "ended", or "delivered" when a client has got all results.
        owner: program and version of the client that sent it; empty if unknown.
        age_seconds: since it was sent, by the machine's clock; None if unknown.
        follower_count: connected clients that are sent its results.
        result_count: results that are stored.
        size_bytes: that request and results take.
        stage: of a running job; empty before the first progress report, and for other jobs.
        step: how much of the stage is done.
        steps: of the stage.
        seconds_left: of the stage; None while unknown.
    """

    id: _Word
    kind: _Word = ""
    state: _Word
    owner: _Word = ""
    age_seconds: Annotated[float, Meta(ge=0.0)] | None = None
    follower_count: _Count = 0
    result_count: _Count = 0
    size_bytes: _Count = 0
    stage: _Word = ""
    step: _Count = 0
    steps: _Count = 0
    seconds_left: Annotated[float, Meta(ge=0.0)] | None = None


JobList = Annotated[tuple[JobHealth, ...], Meta(max_length=MAX_LISTED_JOBS)]
