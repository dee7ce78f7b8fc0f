"""Times the server's answers to Pings while it is loaded."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from backend_server.chaos import loads
from backend_server.chaos.client import ChaosClient
from backend_server.chaos.light_cascade import PAUSE_VARIABLE, SIDE_VARIABLE
from backend_server.chaos.server import ChaosServer
from backend_server.progress import Progress, silent
from shared.errors import NoSpaceError, SpeechFaceError
from shared.protocol import Ping, Pong

GOAL_SECONDS = 0.2  # at the 99th percentile
_BETWEEN_PINGS_SECONDS = 0.02
_LONGEST_SECONDS = 400.0
_LAST_PONG_SECONDS = 30.0
_IDLE_SECONDS, _SHORT_IDLE_SECONDS = 5.0, 2.0
_PURGE_DELAY_SECONDS = 5.0  # after the end of the job
_PURGE_SECONDS, _SHORT_PURGE_SECONDS = 20.0, 12.0
_SPARE_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Latency:
    """How long Pongs took under one load, in seconds."""

    load: str
    pings: int
    median: float
    percentile_99: float
    worst: float

    @property
    def is_reached(self) -> bool:
        """Whether the goal is reached."""
        return self.percentile_99 <= GOAL_SECONDS


def measure_latency(share: float, progress: Progress = silent) -> list[Latency]:
    """Times Pongs under each load.

    Args:
        share: of the full loads, above 0 to 1; below 1, nothing and a purge are also timed for less long.
        progress: of each load.

    Raises:
        SpeechFaceError: the server does not start, or the disk has no room for the results to be purged.
        Cancelled: `progress` asked for the end.
    """
    uploads = max(1, round(loads.UPLOAD_BYTES * share / loads.IMAGE_BYTES)) * loads.IMAGE_BYTES
    jobs = int(loads.QUEUED_JOBS * share)
    purged = int(loads.PURGED_BYTES * share)
    idle, purge = (_IDLE_SECONDS, _PURGE_SECONDS) if share == 1 else (_SHORT_IDLE_SECONDS, _SHORT_PURGE_SECONDS)
    return [
        _under_nothing(idle, progress),
        _under_load(f"{uploads / 1e6:.0f} MB of uploads", loads.upload, uploads, "uploads", progress),
        _under_load(f"{jobs} queued jobs", loads.queue, jobs, "queue", progress),
        _under_purge(purged, purge, progress),
    ]


def markdown(figures: list[Latency]) -> str:
    """The table of a page, in milliseconds."""
    lines = ["| load | pings | median ms | 99th percentile ms | worst ms |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {f.load} | {f.pings} | {f.median * 1e3:.1f} | {f.percentile_99 * 1e3:.1f} | {f.worst * 1e3:.1f} |"
        for f in figures
    ]
    return "\n".join(lines) + "\n"


def _under_load(
    name: str, load: Callable[[Path, int, loads.Counter], None], amount: int, stage: str, progress: Progress
) -> Latency:
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder, _server(Path(folder)) as server:
        context = get_context("spawn")
        done = context.Value("q", 0)
        process = context.Process(target=load, args=(server.connection_file, amount, done), daemon=True)
        process.start()
        try:
            unit = 1_000_000 if amount > 1_000_000 else 1

            def tell(_: float) -> None:
                progress(stage, done.value // unit, amount // unit)

            return _ping(name, server, lambda _: process.is_alive(), tell)
        finally:
            process.kill()
            process.join()


def _under_nothing(seconds: float, progress: Progress) -> Latency:
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder, _server(Path(folder)) as server:
        return _ping("nothing", server, _for(seconds), _tell(progress, "idle", seconds))


def _for(most_seconds: float) -> Callable[[float], bool]:
    return lambda seconds: seconds < most_seconds


def _tell(progress: Progress, stage: str, most_seconds: float) -> Callable[[float], None]:
    return lambda seconds: progress(stage, min(round(seconds), round(most_seconds)), round(most_seconds))


def _under_purge(byte_count: int, seconds: float, progress: Progress) -> Latency:
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < byte_count + _SPARE_BYTES:
            raise NoSpaceError(
                f"the disk of {folder} has no {(byte_count + _SPARE_BYTES) / 1e9:.0f} GB left; set TMPDIR to another"
            )
        with _server(folder, keep_seconds=_PURGE_DELAY_SECONDS) as server:
            with ChaosClient(server.connection, silent_seconds=_LONGEST_SECONDS) as client:
                client.connect(_LAST_PONG_SECONDS)
                loads.fill_store(client, byte_count, lambda step, steps: progress("fill", step, steps))
            before = _size(server.job_dir)
            title = f"a purge of {before / 1e9:.1f} GB"
            result = _ping(title, server, _for(seconds), _tell(progress, "purge", seconds))
            left = _size(server.job_dir)
        if before < byte_count // 2 or left > before // 2:
            raise SpeechFaceError(
                f"of {before / 1e9:.1f} GB of results {left / 1e9:.1f} GB are left; nothing was timed"
            )
        return result


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _server(folder: Path, **settings: float) -> ChaosServer:
    return ChaosServer(folder, variables={PAUSE_VARIABLE: "0", SIDE_VARIABLE: "256"}, settings=settings)


def _ping(load: str, server: ChaosServer, is_loaded: Callable[[float], bool], tell: Callable[[float], None]) -> Latency:
    """Sends a Ping every 20 ms whether the last is answered or not, until the load is over."""
    waiting: dict[str, float] = {}
    seconds: list[float] = []
    with ChaosClient(server.connection, silent_seconds=_LONGEST_SECONDS) as client:
        if not client.connect(_LAST_PONG_SECONDS):
            raise SpeechFaceError(f"the server does not answer ({server.last_words})")
        begin = now = time.monotonic()
        next_ping = begin
        while (is_busy := is_loaded(now - begin) and now - begin < _LONGEST_SECONDS) or waiting:
            if not is_busy and now - next_ping > _LAST_PONG_SECONDS:
                seconds += [now - sent for sent in waiting.values()]  # never answered
                break
            if is_busy and now >= next_ping:
                ping = Ping()
                waiting[ping.id] = now
                client.send(ping)
                next_ping = now + _BETWEEN_PINGS_SECONDS
                tell(now - begin)
            for message in client.poll(_BETWEEN_PINGS_SECONDS / 4):
                if isinstance(message, Pong) and message.parent in waiting:
                    seconds.append(time.monotonic() - waiting.pop(message.parent))
            now = time.monotonic()
    tell(now - begin)
    times = np.array(seconds)
    return Latency(load, len(times), float(np.median(times)), float(np.quantile(times, 0.99)), float(times.max()))
