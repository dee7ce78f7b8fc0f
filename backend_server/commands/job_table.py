"""Shows the jobs of a running backend at a terminal, and finds those that a user means."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table
from rich.text import Text

from backend_server.commands.status import duration
from shared.errors import ValueRangeError
from shared.health import PARKED, JobHealth
from shared.protocol import Cancelled, Failed, Message

_LEAST_CHARACTERS = 4
_COLOURS = {"running": "green", PARKED: "yellow"}


def as_json(jobs: Sequence[JobHealth]) -> str:
    """The jobs for programs."""
    return msgspec.json.format(msgspec.json.encode(jobs)).decode()


def job_table(jobs: Sequence[JobHealth]) -> Table:
    """One row for each job."""
    count = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    table = Table(caption=f"{count}; end one with `jobs cancel ID`", caption_justify="left")
    table.add_column("id", overflow="fold")
    for column in ("kind", "state", "age"):
        table.add_column(column, no_wrap=True)
    table.add_column("sent by")
    table.add_column("followed by", no_wrap=True)
    table.add_column("progress")
    for job in jobs:
        table.add_row(
            Text(job.id),
            Text(_printable(job.kind) or "not known"),
            Text(_printable(job.state), _COLOURS.get(job.state, "")),
            _age(job),
            Text(_printable(job.owner) or "not known"),
            {0: "nobody", 1: "1 client"}.get(job.follower_count, f"{job.follower_count} clients"),
            Text(_printable(_progress(job))),
        )
    return table


def ended_table(jobs: Sequence[JobHealth]) -> Table:
    """One row for each job that has ended."""
    count, size = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs", sum(job.size_bytes for job in jobs)
    table = Table(
        caption=f"{count}, {_megabytes(size)}; delete one and its results with `jobs forget ID`", caption_justify="left"
    )
    table.add_column("id", overflow="fold")
    for column in ("kind", "state", "age", "size"):
        table.add_column(column, no_wrap=True)
    table.add_column("sent by")
    for job in jobs:
        table.add_row(
            Text(job.id),
            Text(_printable(job.kind) or "not known"),
            Text(_printable(job.state)),
            _age(job),
            _megabytes(job.size_bytes),
            Text(_printable(job.owner) or "not known"),
        )
    return table


def chosen(jobs: Sequence[JobHealth], beginnings: Sequence[str], *, is_parked: bool) -> list[str]:
    """IDs of the jobs that are chosen by the beginnings of their IDs, or because they are parked.

    Raises:
        ValueRangeError: nothing was chosen, or no job or several begin so.
    """
    if not beginnings and not is_parked:
        raise ValueRangeError("no job was chosen; give IDs, or --parked")
    names = [_chosen(jobs, beginning, "runs or waits", "jobs list") for beginning in beginnings]
    names += [job.id for job in jobs if is_parked and job.state == PARKED]
    return list(dict.fromkeys(names))


def chosen_ended(jobs: Sequence[JobHealth], beginnings: Sequence[str]) -> list[str]:
    """IDs of the ended jobs that are chosen by the beginnings of their IDs.

    Raises:
        ValueRangeError: no job or several begin so.
    """
    names = [_chosen(jobs, beginning, "has ended", "jobs list --ended") for beginning in beginnings]
    return list(dict.fromkeys(names))


def outcome(end: Message) -> str:
    """How a job ended that was to be cancelled."""
    if isinstance(end, Cancelled):
        return f"{end.job} cancelled"
    how = f"failed: {_printable(end.sentence)}" if isinstance(end, Failed) else "done"
    return f"{end.job} had ended before: {how}"


def _chosen(jobs: Sequence[JobHealth], beginning: str, state: str, command: str) -> str:
    exact = [job.id for job in jobs if job.id == beginning]
    found = exact or [job.id for job in jobs if job.id.startswith(beginning)]
    if not exact and len(beginning) < _LEAST_CHARACTERS:
        raise ValueRangeError(f'"{beginning}" is too short for an ID; give {_LEAST_CHARACTERS} or more characters')
    if not found:
        raise ValueRangeError(f"no job that {state} has an ID that begins with {beginning}; see `{command}`")
    if len(found) > 1:
        raise ValueRangeError(f"{len(found)} jobs have IDs that begin with {beginning}; give more characters")
    return found[0]


def _age(job: JobHealth) -> str:
    return "not known" if job.age_seconds is None else duration(job.age_seconds)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"


def _progress(job: JobHealth) -> str:
    parts = [f"{job.stage} {job.step}/{job.steps}"] if job.stage else []
    if job.seconds_left is not None:
        parts.append(f"{duration(job.seconds_left)} left")
    if job.result_count:
        parts.append("1 result" if job.result_count == 1 else f"{job.result_count} results")
    return ", ".join(parts)


def _printable(text: str) -> str:
    """The text with unprintable characters written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
