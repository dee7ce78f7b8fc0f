"""Shows the report of a running backend at a terminal."""

from __future__ import annotations

import msgspec
from rich.table import Table
from rich.text import Text

from shared.health import WorkerHealth
from shared.protocol import StatusReport

COLOURS = {"ready": "green", "loading": "yellow", "unhealthy": "red"}
_MEGABYTE = 10**6
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_LEFT_OUT = ("type", "id", "parent", "job", "sequence", "listed")  # `jobs list` prints the jobs


def as_json(report: StatusReport) -> str:
    """The report for programs."""
    fields = {name: value for name, value in msgspec.to_builtins(report).items() if name not in _LEFT_OUT}
    return msgspec.json.format(msgspec.json.encode(fields)).decode()


def status_table(report: StatusReport) -> Table:
    """The report for people."""
    table = Table("what", "value", show_header=False)
    table.columns[1].overflow = "fold"

    def row(what: str, value: str, style: str = "") -> None:
        table.add_row(what, Text(value, style))

    state = f"{report.state}: {report.trouble}" if report.trouble else report.state
    row("state", state, COLOURS.get(report.state, ""))
    row("backend", f"{report.backend}, protocol {report.protocol}")
    row("process", f"{report.pid}, runs for {duration(report.uptime_seconds)}, {_size(report.memory_bytes)} of memory")
    row("device", report.device)
    row("weights", report.weights_version or "being loaded")
    for what, value in _worker_rows(report.worker):
        row(what, value)
    row("queue", f"{report.queue_length} waiting" + "; `jobs list` shows them" * (report.queue_length > 0))
    row("jobs kept", ", ".join(f"{count} {state}" for state, count in report.jobs.by_state.items()))
    failed = ", ".join(f"{code} {count}" for code, count in sorted(report.jobs.failed.items()))
    row(
        "jobs since the start",
        f"{report.jobs.done} done, {sum(report.jobs.failed.values())} failed{f' ({failed})' if failed else ''}, "
        f"{report.jobs.cancelled} cancelled, {report.jobs.retried} tried again",
    )
    row("clients", f"{report.client_count} connected")
    row("spool", f"{_size(report.spool_bytes)} of {_size(report.spool_limit_bytes)}")
    row("free disk", _size(report.disk_free_bytes))
    return table


def _worker_rows(worker: WorkerHealth | None) -> list[tuple[str, str]]:
    if worker is None:
        return [("worker", "none")]
    rows = [("worker", f"process {worker.pid}, {_size(worker.memory_bytes)} of memory")]
    if not worker.job:
        return [*rows, ("at work on", "nothing")]
    steps = f", {worker.stage} {worker.step}/{worker.steps}" if worker.stage else ""
    left = f", {duration(worker.seconds_left)} left" if worker.seconds_left is not None else ""
    return [*rows, ("at work on", f"job {worker.job}{steps}{left}")]


def _size(count: int) -> str:
    megabytes = count / _MEGABYTE
    return f"{megabytes / 1000:,.1f} GB" if megabytes >= 1000 else f"{megabytes:,.0f} MB"


def duration(seconds: float) -> str:
    """Whole seconds, or the two largest units."""
    for size, unit in _UNITS:
        if seconds >= size:
            smaller, name = next(((s, n) for s, n in _UNITS if s < size), (1, "s"))
            return f"{int(seconds // size)} {unit} {int(seconds % size // smaller)} {name}"
    return f"{seconds:.0f} s"
