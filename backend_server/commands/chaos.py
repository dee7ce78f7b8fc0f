"""Puts service and batch to the test: hostile messages, faults in the middle of jobs, and heavy loads."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from rich.console import Group
from rich.table import Table

from backend_server.chaos import latency
from backend_server.chaos.batch_kills import batch_kills
from backend_server.chaos.counts import Counts, markdown, table
from backend_server.chaos.fuzz_in_process import fuzz_in_process
from backend_server.chaos.fuzz_socket import fuzz_socket
from backend_server.chaos.injections import run_faults, undisturbed_results
from backend_server.chaos.long_strip import STRIP_SECONDS, long_strip
from backend_server.files import atomic_write
from backend_server.progress import Progress
from shared.errors import ValueRangeError

if TYPE_CHECKING:  # an optional library
    from backend_server.chaos.ray_nodes import NodesRun

MESSAGES = 20_000  # through the decoder and the desk
SOCKET_MESSAGES = 2_000
SHORT_MESSAGES, SHORT_SOCKET_MESSAGES, SHORT_INJECTIONS = 1_500, 100, 12  # one of each kind
SHORT_STRIP_SECONDS, SHORT_LOAD = 120, 0.02
SHORT_LINES, SHORT_KILLS = 16, 3


@dataclass(frozen=True)
class ChaosSettings:
    """What the command does.

    Attributes:
        out: folder for the results.
        injections: faults in all.
        seed: of everything.
        is_short: little of everything, for a test.
        has_latency: time Pongs under load, instead of messages and faults.
        has_long_strip: run a strip of an hour twice, instead of messages and faults.
        has_batch: kill a batch at random moments, instead of messages and faults.
        has_cluster: run a batch on one and two Ray nodes and kill one, instead of messages and faults.
        lines: of the batch.
        kills: of the batch.
    """

    out: Path
    injections: int = 1000
    seed: int = 0
    is_short: bool = False
    has_latency: bool = False
    has_long_strip: bool = False
    has_batch: bool = False
    has_cluster: bool = False
    lines: int = 1000
    kills: int = 20

    @property
    def has_messages(self) -> bool:
        """Whether messages are sent and faults injected."""
        return not (self.has_latency or self.has_long_strip or self.has_batch or self.has_cluster)

    @property
    def command(self) -> str:
        """The command line that does the same."""
        words = ["python -m backend_server chaos", f"--out {self.out}", f"--seed {self.seed}"]
        words += [f"--injections {self.injections}"] * self.has_messages
        words += ["--short"] * self.is_short + ["--latency"] * self.has_latency
        words += ["--long-strip"] * self.has_long_strip
        words += ["--batch"] * self.has_batch + ["--cluster"] * self.has_cluster
        words += [f"--lines {self.lines}"] * (self.has_batch or self.has_cluster)
        return " ".join(words + [f"--kills {self.kills}"] * self.has_batch)


@dataclass
class Findings:
    """What was counted and measured.

    Attributes:
        rows: the counts of each kind of fault.
        figures: of Pongs under load.
        nodes: a batch on Ray nodes.
    """

    rows: list[Counts] = field(default_factory=list)
    figures: list[latency.Latency] = field(default_factory=list)
    nodes: list[NodesRun] = field(default_factory=list)


def chaos(settings: ChaosSettings, progress: Progress) -> tuple[Group, bool]:
    """Does what the settings say and writes `chaos.json` and `chaos.md`.

    Returns:
        The tables for the terminal, and whether nothing was lost and every goal was reached.

    Raises:
        SpeechFaceError: a server does not start, the disk is too small, or Ray is not installed.
        Cancelled: `progress` asked for the end.
    """
    settings.out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    found = Findings()
    if settings.has_messages:
        found.rows += _messages_and_faults(settings, progress)
    if settings.has_long_strip:
        seconds = SHORT_STRIP_SECONDS if settings.is_short else STRIP_SECONDS
        found.rows += long_strip(seconds, settings.seed, progress)
    if settings.has_latency:
        found.figures += latency.measure_latency(SHORT_LOAD if settings.is_short else 1.0, progress)
    lines, kills = (SHORT_LINES, SHORT_KILLS) if settings.is_short else (settings.lines, settings.kills)
    if settings.has_batch:
        found.rows += batch_kills(lines, kills, settings.seed, progress)
    shown = [table(found.rows)] if found.rows else []
    shown += [_latency_table(found.figures)] if found.figures else []
    is_clean = all(row.is_clean for row in found.rows) and all(figure.is_reached for figure in found.figures)
    pages = [markdown(found.rows)] * bool(found.rows) + [latency.markdown(found.figures)] * bool(found.figures)
    if settings.has_cluster:
        try:
            from backend_server.chaos import ray_nodes  # noqa: PLC0415 (an optional library)
        except ModuleNotFoundError as error:
            raise ValueRangeError("--cluster needs Ray, which is not installed; install the extra `batch`") from error
        found.nodes += ray_nodes.measure_nodes(lines, progress)
        shown.append(ray_nodes.table(found.nodes))
        pages.append(ray_nodes.markdown(found.nodes))
        is_clean &= ray_nodes.is_reached(found.nodes)
    _write(settings, found, pages, time.monotonic() - begin)
    return Group(*shown), is_clean


def _messages_and_faults(settings: ChaosSettings, progress: Progress) -> list[Counts]:
    short = settings.is_short
    injections = min(settings.injections, SHORT_INJECTIONS) if short else settings.injections
    whole = undisturbed_results(progress)
    return [
        fuzz_in_process(SHORT_MESSAGES if short else MESSAGES, settings.seed, progress),
        *fuzz_socket(SHORT_SOCKET_MESSAGES if short else SOCKET_MESSAGES, settings.seed, whole, progress),
        *run_faults(injections, settings.seed, whole, progress),
    ]


def _write(settings: ChaosSettings, found: Findings, pages: list[str], seconds: float) -> None:
    facts = {
        "command": settings.command,
        "machine": _machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds),
    }
    document = {
        **facts,
        "counts": [asdict(row) for row in found.rows],
        "latency": [asdict(figure) for figure in found.figures],
        "nodes": [asdict(run) for run in found.nodes],
    }
    page = [f"`{facts['command']}`", "", f"{facts['machine']}, {facts['date']}, {facts['seconds']} s", "", *pages]
    for name, text in (("chaos.json", json.dumps(document, indent=2) + "\n"), ("chaos.md", "\n".join(page))):
        with atomic_write(settings.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _latency_table(figures: list[latency.Latency]) -> Table:
    shown = Table("load", "pings", "median ms", "99th percentile ms", "worst ms")
    for figure in figures:
        times = (figure.median, figure.percentile_99, figure.worst)
        shown.add_row(figure.load, str(figure.pings), *(f"{seconds * 1e3:.1f}" for seconds in times))
    return shown


def _machine() -> str:
    gigabytes = psutil.virtual_memory().total / 1e9
    python = platform.python_version()
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {gigabytes:.0f} GB, Python {python}"
