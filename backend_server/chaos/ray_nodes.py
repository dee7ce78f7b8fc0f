"""Runs a batch on one and on two nodes of a Ray cluster on this machine, one core each, and kills one of two nodes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster
from rich.table import Table

from backend_server.chaos.batch_process import BatchProcess, differences, finished_lines, write_lines
from backend_server.progress import Progress, silent
from shared.errors import SpeechFaceError

GOAL = 1.7  # times the lines a second of one node
COLUMNS = (
    *("nodes, one core each", "lines", "done", "files that differ"),
    *("lines/s, actors ready", "lines/s with start", "load average"),
)
_WARM = 2  # lines of each node that are not timed
_STORE_BYTES = 80 * 2**20  # of each node, for what its actors share: the least that Ray takes


@dataclass(frozen=True)
class NodesRun:
    """What came of one run.

    Attributes:
        nodes: in words.
        lines: how many were asked for.
        done: how many are finished.
        speed: lines a second once the actors are ready: without their first lines.
        speed_with_start: lines a second from the command to its end.
        is_well: whether the command ended with code 0.
        other_files: how many files differ from those of one node, are missing or are left over.
        load_average: of the machine at its end, over a minute: more than three means that other programs took part.
        last_words: what the command printed last.
    """

    nodes: str
    lines: int
    done: int
    speed: float
    speed_with_start: float
    is_well: bool
    other_files: int
    load_average: float
    last_words: str

    @property
    def is_clean(self) -> bool:
        """Whether all lines are done, and as one node does them."""
        return self.is_well and self.done == self.lines and not self.other_files


def measure_nodes(lines: int, progress: Progress = silent) -> list[NodesRun]:
    """Runs the same lines on one node, on two, and on two of which one is killed when a third is done.

    Raises:
        Cancelled: `progress` asked for the end.
    """
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as name, _one_node() as cluster:
        folder = Path(name)
        write_lines(folder / "sounds", lines)
        runs = [_run("one node", folder, cluster, lines, progress)]
        cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
        cluster.wait_for_nodes()
        runs.append(_run("two nodes", folder, cluster, lines, progress))
        runs.append(_run("two nodes, one killed", folder, cluster, lines, progress, kill_at=lines // 3))
        return runs


def ratio(runs: list[NodesRun]) -> float:
    """How many times the lines a second of one node two nodes make, once the actors are ready."""
    return runs[1].speed / runs[0].speed if runs[0].speed else 0.0


def is_reached(runs: list[NodesRun]) -> bool:
    """Whether no line was lost, and two nodes are as fast as they shall be."""
    return all(run.is_clean for run in runs) and ratio(runs) >= GOAL


def markdown(runs: list[NodesRun]) -> str:
    """The table of a page, and the ratio."""
    head = [f"| {' | '.join(COLUMNS)} |", "|---|" + "--:|" * (len(COLUMNS) - 1)]
    return "\n".join([*head, *(f"| {' | '.join(_cells(run))} |" for run in runs), "", _conclusion(runs), ""])


def table(runs: list[NodesRun]) -> Table:
    """The table for the terminal."""
    shown = Table(*COLUMNS, caption=_conclusion(runs))
    for run in runs:
        shown.add_row(*_cells(run))
    return shown


def _cells(run: NodesRun) -> list[str]:
    counts = map(str, (run.lines, run.done, run.other_files))
    return [run.nodes, *counts, f"{run.speed:.2f}", f"{run.speed_with_start:.2f}", f"{run.load_average:.1f}"]


def _conclusion(runs: list[NodesRun]) -> str:
    return f"Actors ready, two nodes make {ratio(runs):.2f} times the lines of one (goal {GOAL})."


@contextmanager
def _one_node() -> Iterator[Cluster]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to others
    # Ray lets its actors give way to all other programs, so the figures would be those of what else runs here.
    os.environ.setdefault("RAY_worker_niceness", "0")
    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        cluster = Cluster(initialize_head=True, head_node_args=node)
    except OSError as error:  # its sockets have paths of 107 bytes at most
        raise SpeechFaceError(
            f"Ray cannot work in the temporary folder {tempfile.gettempdir()!r} ({error}); set TMPDIR to a shorter path"
        ) from error
    try:
        yield cluster
    finally:
        cluster.shutdown()


def _run(
    nodes: str, folder: Path, cluster: Cluster, lines: int, progress: Progress, kill_at: int | None = None
) -> NodesRun:
    out = folder / nodes
    waiting = [] if kill_at is None else list(cluster.worker_nodes)

    def watch() -> int:
        done = len(finished_lines(out))
        progress(nodes, done, lines)
        if waiting and kill_at is not None and done >= kill_at:
            cluster.remove_node(waiting.pop(), allow_graceful=False)
        return done

    begin = time.time()
    arguments = [str(folder / "sounds"), "--ray", cluster.address]
    with BatchProcess(arguments, out, folder / f"{nodes}.txt") as run:
        run.wait(watch)
        seconds = time.time() - begin
        load_average = psutil.getloadavg()[0]
        is_well, last_words = run.status == 0, run.last_words
    ends = sorted(signature[-1] / 1e9 for signature in finished_lines(out).values())
    first = _WARM * (1 if nodes == "one node" else 2)
    speed = (len(ends) - first) / (ends[-1] - ends[first - 1]) if len(ends) > first else 0.0
    others = len(list(differences(folder / "one node", out)))
    return NodesRun(nodes, lines, len(ends), speed, len(ends) / seconds, is_well, others, load_average, last_words)
