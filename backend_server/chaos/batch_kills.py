"""Kills a batch at random moments, lets it go on by `--resume`, and judges what came of its lines."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend_server.chaos.batch_process import (
    END_SECONDS,
    INSIDE,
    PATIENCE_SECONDS,
    BatchProcess,
    Signature,
    differences,
    finished_lines,
    write_lines,
)
from backend_server.chaos.counts import Counts
from backend_server.chaos.waiting import wait_until
from backend_server.progress import Progress, silent
from shared.errors import SpeechFaceError

KINDS = ("all processes", "main process", "a worker")
_EARLY = 0.25  # share of the kills that come while the networks are loaded, or just after another kill
_DIED = "the process that made it died"
_SUMMARY = re.compile(r"(\d+) lines done(?:, (\d+) unchanged since earlier)?, (\d+) failed")


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        kind: one of `KINDS`.
        lines: so many must be finished.
        share: of the time until the next line is expected (after a start: loading included), 0 to 1, that passes then.
    """

    kind: str
    lines: int
    share: float


def draw_kills(count: int, lines: int, seed: int) -> list[Kill]:
    """So many kills in order, the same number of each kind, anywhere in a batch of so many lines."""
    random = np.random.default_rng(seed)
    kinds = random.permutation([KINDS[number % len(KINDS)] for number in range(count)])
    moments = np.sort(random.integers(0, lines, count))
    early = random.random(count) < _EARLY
    moments[early] = np.concatenate([[0], moments[:-1]])[early]  # so many are finished already
    return [
        Kill(str(kind), int(moment), float(share))
        for kind, moment, share in zip(kinds, moments, random.random(count), strict=True)
    ]


def batch_kills(lines: int, kills: int, seed: int, progress: Progress = silent) -> list[Counts]:
    """Runs a batch once undisturbed and once with so many kills; returns the counts of each kind of kill.

    Args:
        lines: of the batch.
        kills: in all.
        seed: of the kinds and the moments.
        progress: of the lines.

    Raises:
        SpeechFaceError: the undisturbed run fails, so nothing can be compared with it.
        Cancelled: `progress` asked for the end.
    """
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as name:
        folder = Path(name)
        write_lines(folder / "sounds", lines)
        whole, killed = folder / "whole", folder / "killed"
        start_seconds, line_seconds = _undisturbed(folder, whole, lines, progress)
        runs = _KilledRuns(folder, killed, lines, np.random.default_rng((seed, 1)), progress)
        with runs.stack:
            for kill in draw_kills(kills, lines, seed):
                if not runs.kill(kill, start_seconds, line_seconds):
                    break
            else:
                runs.finish()
        judge_folders(runs.rows["resumed to the end"], whole, killed)
        return list(runs.rows.values())


def judge_folders(counts: Counts, whole: Path, killed: Path) -> None:
    """Counts what the folder of a killed batch holds otherwise than that of an undisturbed one."""
    for what, name in differences(whole, killed):
        counts.note("LEFT OVER" if what == "besides" else "LOST", f"{name} is {what}")


class LineWatch:
    """Sees which lines are finished; one that was finished must stay as it is.

    Args:
        out: the output folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._seen: dict[str, Signature] = {}

    @property
    def count(self) -> int:
        """How many lines were ever seen finished."""
        return len(self._seen)

    def look(self, counts: Counts) -> None:
        """Counts the lines that were finished since the last look, written again, or lost."""
        now = finished_lines(self._out)
        for name, signature in self._seen.items():
            if name not in now:
                counts.note("LOST", f"{name} was finished and is not there any more")
            elif now[name] != signature:
                counts.note("TWICE", f"{name} was finished and was written again")
        for _ in now.keys() - self._seen.keys():
            counts.note("completed")
        self._seen |= now


def _undisturbed(folder: Path, out: Path, lines: int, progress: Progress) -> tuple[float, float]:
    """Makes all lines in one run; returns the seconds until the first line, and those of one line."""

    def watch() -> int:
        count = len(finished_lines(out))
        progress("undisturbed", count, lines)
        return count

    begin = time.time()
    with BatchProcess([str(folder / "sounds")], out, folder / "whole.txt") as run:
        if not run.wait(watch) or run.status != 0:
            raise SpeechFaceError(f"the undisturbed batch went wrong: {run.last_words}")
    ends = sorted(signature[-1] / 1e9 for signature in finished_lines(out).values())
    return ends[0] - begin, (ends[-1] - ends[0]) / len(ends)


class _KilledRuns:
    """The runs of the batch that is killed, with the counts of each kind."""

    def __init__(self, folder: Path, out: Path, lines: int, random: np.random.Generator, progress: Progress) -> None:
        self.rows = {name: Counts(f"batch, {name} killed") for name in KINDS}
        self.rows["resumed to the end"] = Counts("batch, resumed to the end")
        self.stack = ExitStack()  # ends all processes
        self._folder, self._out, self._lines = folder, out, lines
        self._random, self._progress = random, progress
        self._watch = LineWatch(out)
        self._run: BatchProcess | None = None
        self._runs: list[BatchProcess] = []
        self._killed_workers: dict[BatchProcess, int] = {}

    def kill(self, kill: Kill, start_seconds: float, line_seconds: float) -> bool:
        """Waits for the moment and kills; False if a run ended as it must not, or never ended."""
        counts = self.rows[kill.kind]
        run = None
        while run is None or run.status is not None:
            if run is not None and not self._close(run, counts):  # it was done before the moment came
                return False
            run, is_new = self._running()
            is_loading = is_new and self._watch.count >= kill.lines
            pause = kill.share * (start_seconds if is_loading else line_seconds)
            if not self._wait(run, counts, lambda: self._watch.count >= kill.lines):
                return False
            deadline = time.monotonic() + pause
            run.wait(lambda: self._look(counts), lambda deadline=deadline: time.monotonic() > deadline)
            if kill.kind == "a worker" and not wait_until(run.has_worker, PATIENCE_SECONDS):
                counts.note("HUNG", f"no worker for {PATIENCE_SECONDS:.0f} s: {run.last_words}")
                return False
        match kill.kind:
            case "all processes":
                run.kill_all()
            case "main process":
                run.kill_main()
            case _:
                run.kill_worker(float(self._random.random()))
                self._killed_workers[run] = self._killed_workers.get(run, 0) + 1
        counts.note("injections", f"{self._watch.count} lines were finished")
        self._watch.look(counts)
        if kill.kind != "a worker":
            for _ in self._in_work():
                counts.note("retried")
            self._tell(run)
            self._run = None
        return True

    def finish(self) -> None:
        """Lets what runs end by itself, resumes once more, and counts what is left over."""
        counts = self.rows["resumed to the end"]
        if self._run is not None:
            run = self._run
            if not (self._wait(run, counts, lambda: False) and self._close(run, counts)):
                return
        before = self._watch.count
        run, _ = self._running()
        if not (self._wait(run, counts, lambda: False) and self._close(run, counts)):
            return
        summary = _SUMMARY.search(run.printed)
        done, unchanged, failed = (int(number or 0) for number in summary.groups()) if summary else (0, 0, 0)
        if run.status != 0 or done + unchanged != self._lines or failed:
            counts.note("LOST", f"the last run ended with {run.status}: {run.last_words}")
        for _ in range(done - (self._lines - before)):
            counts.note("TWICE", f"{done} lines done in the last run, {before} of {self._lines} were before")
        for run in self._runs:
            for _ in range(run.end_left_over(END_SECONDS)):
                counts.note("LEFT OVER", "a process outlived its batch")

    def _running(self) -> tuple[BatchProcess, bool]:
        """The run that goes on, and whether it was begun just now."""
        if self._run is not None:
            return self._run, False
        arguments = ["--resume"] if self._runs else [str(self._folder / "sounds")]
        if not (self._out / INSIDE / "order.json").is_file():  # killed before it had begun
            arguments = [str(self._folder / "sounds")]
        run = BatchProcess(arguments, self._out, self._folder / f"killed{len(self._runs)}.txt")
        self._run = self.stack.enter_context(run)
        self._runs.append(run)
        return run, True

    def _wait(self, run: BatchProcess, counts: Counts, is_time: Callable[[], bool]) -> bool:
        """Looks on until it is time or the run has ended; False if it finished no line for too long."""
        if run.wait(lambda: self._look(counts), is_time):
            return True
        counts.note("HUNG", f"no line for {PATIENCE_SECONDS:.0f} s: {run.last_words}")
        return False

    def _look(self, counts: Counts) -> int:
        self._watch.look(counts)
        self._progress("killed", self._watch.count, self._lines)
        return self._watch.count

    def _close(self, run: BatchProcess, counts: Counts) -> bool:
        """Judges a run that ended by itself."""
        self._run = None
        died = self._tell(run)
        if run.status != (1 if died else 0):
            counts.note("SERVER DEAD", f"a batch ended with {run.status}: {run.last_words}")
            return False
        return True

    def _tell(self, run: BatchProcess) -> int:
        """Counts the lines that a run said to be failed, each in one sentence that names it; returns how many."""
        counts = self.rows["a worker"]
        sentences = [line for line in run.printed.splitlines() if _DIED in line]
        for sentence in sentences:
            counts.note("failed with a reason" if sentence.startswith("line_") else "UNNAMED", sentence)
        if len(sentences) > (killed := self._killed_workers.pop(run, 0)):
            counts.note("LOST", f"{len(sentences)} lines failed, although only {killed} workers of the run were killed")
        return len(sentences)

    def _in_work(self) -> list[Path]:
        """What the killed processes left of lines that they had begun."""
        work = self._out / INSIDE / "work"
        return list(work.iterdir()) if work.is_dir() else []
