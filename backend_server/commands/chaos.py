"""Puts the service to the test: hostile messages, faults in the middle of jobs, and heavy loads."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Group
from rich.table import Table

from backend_server.chaos import latency
from backend_server.chaos.counts import Counts, markdown, table
from backend_server.chaos.fuzz_in_process import fuzz_in_process
from backend_server.chaos.fuzz_socket import fuzz_socket
from backend_server.chaos.injections import run_faults, undisturbed_results
from backend_server.chaos.long_strip import STRIP_SECONDS, long_strip
from backend_server.files import atomic_write
from backend_server.progress import Progress

MESSAGES = 20_000  # through the decoder and the desk
SOCKET_MESSAGES = 2_000
SHORT_MESSAGES, SHORT_SOCKET_MESSAGES, SHORT_INJECTIONS = 1_500, 100, 12  # one of each kind
SHORT_STRIP_SECONDS, SHORT_LOAD = 120, 0.02


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
    """

    out: Path
    injections: int = 1000
    seed: int = 0
    is_short: bool = False
    has_latency: bool = False
    has_long_strip: bool = False

    @property
    def command(self) -> str:
        """The command line that does the same."""
        words = ["python -m backend_server chaos", f"--out {self.out}", f"--seed {self.seed}"]
        if not (self.has_latency or self.has_long_strip):
            words.append(f"--injections {self.injections}")
        words += ["--short"] * self.is_short + ["--latency"] * self.has_latency
        return " ".join(words + ["--long-strip"] * self.has_long_strip)


def chaos(settings: ChaosSettings, progress: Progress) -> tuple[Group, bool]:
    """Does what the settings say and writes `chaos.json` and `chaos.md`.

    Returns:
        The tables for the terminal, and whether nothing was lost and every goal was reached.

    Raises:
        SpeechFaceError: a server does not start, or the disk is too small.
        Cancelled: `progress` asked for the end.
    """
    settings.out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    rows: list[Counts] = []
    figures: list[latency.Latency] = []
    if not (settings.has_latency or settings.has_long_strip):
        rows += _messages_and_faults(settings, progress)
    if settings.has_long_strip:
        seconds = SHORT_STRIP_SECONDS if settings.is_short else STRIP_SECONDS
        rows += long_strip(seconds, settings.seed, progress)
    if settings.has_latency:
        figures += latency.measure_latency(SHORT_LOAD if settings.is_short else 1.0, progress)
    _write(settings, rows, figures, time.monotonic() - begin)
    is_clean = all(row.is_clean for row in rows) and all(figure.is_reached for figure in figures)
    return Group(*([table(rows)] if rows else []), *([_latency_table(figures)] if figures else [])), is_clean


def _messages_and_faults(settings: ChaosSettings, progress: Progress) -> list[Counts]:
    short = settings.is_short
    injections = min(settings.injections, SHORT_INJECTIONS) if short else settings.injections
    whole = undisturbed_results(progress)
    return [
        fuzz_in_process(SHORT_MESSAGES if short else MESSAGES, settings.seed, progress),
        *fuzz_socket(SHORT_SOCKET_MESSAGES if short else SOCKET_MESSAGES, settings.seed, whole, progress),
        *run_faults(injections, settings.seed, whole, progress),
    ]


def _write(settings: ChaosSettings, rows: list[Counts], figures: list[latency.Latency], seconds: float) -> None:
    facts = {
        "command": settings.command,
        "machine": _machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(seconds),
    }
    document = {**facts, "counts": [asdict(row) for row in rows], "latency": [asdict(figure) for figure in figures]}
    page = [f"`{facts['command']}`", "", f"{facts['machine']}, {facts['date']}, {facts['seconds']} s", ""]
    page += [markdown(rows)] * bool(rows) + [latency.markdown(figures)] * bool(figures)
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
