"""Runs a batch: checks all of it, gives its lines to workers, and writes the report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from filelock import FileLock, Timeout

from backend_server.batch.characters import read_characters
from backend_server.batch.local import LocalWorkers
from backend_server.batch.manifest import REPORTS, Problem, check_lines, check_outputs, read_lines, refuse
from backend_server.batch.order import INSIDE, NOBODY, USUAL_OUTPUTS, Character, Face, Job, Outcome, Plan
from backend_server.batch.report import KNOWN_REPORTS, write_reports
from backend_server.batch.workers import Workers, as_completed
from backend_server.files import atomic_write, sweep_temporaries
from backend_server.progress import Progress
from shared.errors import Cancelled, SpeechFaceError, ValueRangeError
from shared.timing import FrameRate

Made = TypeVar("Made")
ORDER = "order.json"  # in the inside folder: what the batch was asked for


class Order(msgspec.Struct, frozen=True):
    """What decides which files come out, kept in the output folder so that a batch can be resumed.

    Attributes:
        source: absolute path of the manifest, or of a folder of sounds.
        characters: absolute path of the file of characters; None for the mean face.
        outputs: of lines that name none.
        frame_rate: of curves and pictures.
        seed: of the blinks and of learning faces.
    """

    source: str
    characters: str | None = None
    outputs: tuple[str, ...] = USUAL_OUTPUTS
    frame_rate: FrameRate = FrameRate(25)
    seed: int = 0


@dataclass(frozen=True)
class BatchSettings:
    """The options of `batch`.

    Attributes:
        order: None to go on with what was begun in `out`.
        out: the output folder.
        is_resumed: go on with what was begun; refused if it was asked for otherwise.
        jobs: processes on this machine, or actors at most on a cluster; 0 for one a core.
        ray: address of a Ray cluster; None for this machine alone.
        device: as `choose_device` takes it.
    """

    order: Order | None
    out: Path
    is_resumed: bool = False
    jobs: int = 0
    ray: str | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Summary:
    """How many lines were done now, were done before, and failed."""

    done: int
    unchanged: int
    failed: int

    def __str__(self) -> str:
        earlier = f", {self.unchanged} unchanged since earlier" if self.unchanged else ""
        return f"{self.done} lines done{earlier}, {self.failed} failed"


def run_batch(
    settings: BatchSettings, progress: Progress, say: Callable[[str], None], warn: Callable[[str], None]
) -> Summary:
    """Makes all lines whose folders do not hold their results already, and the report of all.

    Args:
        settings: what to do.
        progress: told of each line.
        say: told what the user may want to know.
        warn: told of each line that failed.

    Raises:
        ManifestError: lines or characters are wrong; nothing was done then.
        ValueRangeError: the manifest cannot be read, or the folder cannot be used.
        Cancelled: with a sentence that says how many lines are done.
    """
    order, jobs = checked_jobs(settings)
    out = settings.out.resolve()
    with _claimed(out) as inside:
        with atomic_write(inside / ORDER) as temporary:
            temporary.write_bytes(msgspec.json.encode(order))
        shutil.rmtree(inside / "work", ignore_errors=True)  # of workers that were killed
        plan = Plan(str(out), order.frame_rate, order.seed, settings.device)
        progress("load", 0, 1)
        workers = _workers(plan, settings, len(jobs))
        outcomes: list[Outcome] = []
        try:
            _wait_until_ready(workers)
            progress("load", 1, 1)
            jobs = _with_faces(workers, jobs, Path(order.source).name, progress, say)
            for outcome in _made(workers, jobs):
                outcomes.append(outcome)
                _tell(outcome, say, warn)
                progress("lines", len(outcomes), len(jobs))
        except Cancelled as request:
            done = sum(outcome.state != "failed" for outcome in outcomes)
            raise Cancelled(f"cancelled; {done} of {len(jobs)} lines are done, --resume goes on") from request
        finally:
            workers.stop()
            shutil.rmtree(inside / "work", ignore_errors=True)
        for kept in write_reports(out, outcomes, order.frame_rate):
            say(f"a report was changed since it was written; it is now {kept}")
    states = [outcome.state for outcome in outcomes]
    return Summary(*(states.count(state) for state in ("done", "unchanged", "failed")))


def checked_jobs(settings: BatchSettings) -> tuple[Order, list[Job]]:
    """Checks everything that can be known before work begins: what is asked for, and each line with its character.

    Raises:
        ManifestError: lines or characters are wrong.
        ValueRangeError: the manifest or the characters cannot be read, or there is nothing to resume.
    """
    order = _order(settings)
    source = Path(order.source)
    if source.is_dir() and settings.out.resolve().is_relative_to(source):
        raise ValueRangeError(f"{settings.out} lies in the folder of the sounds; give another one with --out")
    problems = [Problem(0, sentence) for sentence in check_outputs(order.outputs)]
    characters = read_characters(Path(order.characters), problems) if order.characters else {}
    lines = check_lines(read_lines(source, order.outputs, problems), characters, order.frame_rate, problems)
    refuse(problems, source.name)
    return order, [Job(line, characters.get(line.character, NOBODY), None) for line in lines]


def _order(settings: BatchSettings) -> Order:
    """What is asked for now, or was before."""
    path = settings.out / INSIDE / ORDER
    try:
        before = msgspec.json.decode(path.read_bytes(), type=Order) if settings.is_resumed else None
    except FileNotFoundError as error:
        raise ValueRangeError(f"no batch was begun in {settings.out}; leave --resume out to begin one") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueRangeError(f"{path} cannot be read ({error}); name the manifest and leave --resume out") from error
    order = settings.order or before
    if order is None:
        raise ValueRangeError("there is nothing to do; name a manifest or a folder of sounds, or give --resume")
    if before is not None and order != before:
        now, then = msgspec.to_builtins(order), msgspec.to_builtins(before)
        others = "; ".join(f"{name} {now[name]!r} instead of {then[name]!r}" for name in now if now[name] != then[name])
        raise ValueRangeError(
            f"the batch in {settings.out} was asked for otherwise ({others}); leave --resume out to do it as asked now"
        )
    return order


@contextmanager
def _claimed(out: Path) -> Iterator[Path]:
    """The inside folder of an output folder that no other batch uses meanwhile."""
    inside = out / INSIDE
    try:
        (inside / "faces").mkdir(parents=True, exist_ok=True)
        lock = FileLock(inside / "lock").acquire(timeout=0)
    except Timeout as error:
        raise ValueRangeError(f"another batch is writing into {out}; wait for its end or give another --out") from error
    except OSError as error:
        raise ValueRangeError(f"cannot write to {out}: {error.strerror}; give another folder with --out") from error
    with lock:
        for path in (inside / ORDER, inside / KNOWN_REPORTS, *(out / name for name in REPORTS)):
            sweep_temporaries(path, 0.0)  # nobody else writes here now
        yield inside


def _workers(plan: Plan, settings: BatchSettings, line_count: int) -> Workers:
    most = settings.jobs or line_count
    if settings.ray is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return LocalWorkers(plan, min(settings.jobs or cores, line_count))
    try:
        from backend_server.batch.cluster import RayWorkers  # noqa: PLC0415 (an optional library)
    except ModuleNotFoundError as error:
        raise ValueRangeError("--ray needs Ray, which is not installed; install the extra `batch`") from error
    return RayWorkers(plan, settings.ray, min(most, line_count))


def _wait_until_ready(workers: Workers) -> None:
    """Waits until all have loaded the networks; one that died meanwhile is replaced with its next line.

    Raises:
        ValueRangeError: a worker cannot work.
        SpeechFaceError: all of them died.
    """
    died = []
    for _, future in as_completed(range(workers.most_waiting), lambda _: workers.ready(), workers.most_waiting):
        if sentence := _result_of(future):
            raise ValueRangeError(sentence)
        died += [future.exception()] if future.exception() else []
    if len(died) == workers.most_waiting:
        raise SpeechFaceError(
            "every process died that loaded the networks, for instance for want of memory; begin fewer with --jobs",
            detail=repr(died[0]),
        )


def _with_faces(
    workers: Workers, jobs: list[Job], name: str, progress: Progress, say: Callable[[str], None]
) -> list[Job]:
    """The same jobs with the faces of their characters, each learnt once.

    Raises:
        ManifestError: a face cannot be learnt.
    """
    wanted: dict[str, Character] = {job.character.name: job.character for job in jobs if job.character.has_face}
    rendered = {job.character.name for job in jobs if job.line.frame_format}
    faces: dict[str, Face] = {}
    problems = []

    def learn(character: Character) -> Future[Face]:
        return workers.learn(character, character.name in rendered)

    for character, future in as_completed(wanted.values(), learn, workers.most_waiting):
        face = faces[character.name] = _result_of(future) or Face(sentence="the process that looked at it died")
        if face.sentence:
            problems.append(Problem(0, f'the character "{character.name}": {face.sentence}'))
        for note in face.notes:
            say(f'note on the character "{character.name}": {note}')
        progress("faces", len(faces), len(wanted))
    refuse(problems, name)
    return [msgspec.structs.replace(job, face=faces.get(job.character.name)) for job in jobs]


def _made(workers: Workers, jobs: list[Job]) -> Iterator[Outcome]:
    for job, future in as_completed(jobs, workers.make, workers.most_waiting, workers.finish):
        died = "the process that made it died, for instance for want of memory; run again with --resume"
        yield _result_of(future) or Outcome(job.line, "failed", sentence=died, detail=repr(future.exception()))


def _result_of(future: Future[Made]) -> Made | None:
    """What a worker returned; None if it died."""
    return None if future.exception() else future.result()


def _tell(outcome: Outcome, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
    if outcome.state == "failed":
        warn(f"{outcome.line.id}: {outcome.sentence}")
    for kept in outcome.kept:
        say(
            f"{outcome.line.id}: what stood there was not written by this batch, or was changed since; it is now {kept}"
        )
