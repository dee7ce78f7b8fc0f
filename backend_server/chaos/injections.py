"""Injects each kind of fault at random moments of real jobs, and judges what the client got."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from backend_server.chaos.client import ChaosClient
from backend_server.chaos.counts import Counts
from backend_server.chaos.faults import clock, connection, disk, memory, server, worker
from backend_server.chaos.faults.fault import Fault, Scene
from backend_server.chaos.job import Job, Result
from backend_server.chaos.judging import judge
from backend_server.chaos.light_cascade import PAUSE_VARIABLE
from backend_server.chaos.proxy import Proxy
from backend_server.chaos.server import ChaosServer
from backend_server.chaos.variants import LONG_FRAME_COUNT, VARIANT_COUNT, animation
from backend_server.chaos.waiting import wait_until
from backend_server.progress import Progress, silent
from shared.errors import SpeechFaceError
from shared.protocol import AnimateRequest, Done

FAULTS: tuple[Fault, ...] = (
    *(*worker.FAULTS, *server.FAULTS, *connection.FAULTS),
    *(*disk.FAULTS, *memory.FAULTS, *clock.FAULTS),
)
PATIENCE_SECONDS = 20.0  # for a job of half a second
ALIVE_SECONDS = 5.0
RECOVERY_SECONDS = 10.0  # until a good job has ended after a fault
SETTINGS = {"stuck_seconds": 1.0, "beat_seconds": 3.0, "lost_seconds": 3.0, "stage_seconds": 10.0}  # of the service
_SLOW_QUEUE, _SLOW_BYTES = 2, 64 * 1024  # messages and bytes that wait with a slow client
_SLOW_SECONDS = 0.06  # between two looks of a slow client
_LONG = VARIANT_COUNT  # the variant whose job is longer than all queues


def run_faults(count: int, seed: int, whole: Sequence[Result], progress: Progress = silent) -> list[Counts]:
    """Injects so many faults in all, the same number of each kind; returns the counts of each kind.

    Args:
        count: of faults.
        seed: of the moments and the jobs.
        whole: the undisturbed results of each variant.
        progress: of all kinds together.

    Raises:
        SpeechFaceError: a server does not start, or does no job at all.
        Cancelled: `progress` asked for the end.
    """
    shares = [count // len(FAULTS) + (index < count % len(FAULTS)) for index in range(len(FAULTS))]
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder:
        rows = []
        done = 0
        for number, (fault, share) in enumerate(zip(FAULTS, shares, strict=True)):
            runs = _Runs(fault, whole, Path(folder) / f"fault{number}")
            for index in range(share):
                progress("faults", done, count)
                runs.run(np.random.default_rng((seed, number, index)))
                done += 1
            runs.close()
            rows.append(runs.counts)
        progress("faults", count, count)
        return rows


class _Runs:
    """All runs of one kind of fault; a server that was lost is replaced by a fresh one."""

    def __init__(self, fault: Fault, whole: Sequence[Result], folder: Path) -> None:
        self.counts = Counts(fault.name)
        self._fault = fault
        self._whole = whole
        self._folder = folder
        self._seconds: dict[int, float] = {}  # of an undisturbed job, by its variant
        self._servers = 0
        self._stack = ExitStack()
        self._stage: tuple[Scene, ChaosClient] | None = None

    def run(self, random: np.random.Generator) -> None:
        """Injects once, at a random moment of a random job."""
        try:
            scene, client = self._stage or self._begin()
            self._run(scene, client, random)
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Ends the server; what it leaves behind is counted."""
        if self._stage is not None:
            scene, _ = self._stage
            if not scene.server.terminate():
                self.counts.note("HUNG", "the server did not end when it was told to")
            for _ in range(scene.server.left_over):
                self.counts.note("LEFT OVER")
            self._stage = None
        self._stack.close()

    def _begin(self) -> tuple[Scene, ChaosClient]:
        fault = self._fault
        self._servers += 1
        server = self._stack.enter_context(
            ChaosServer(
                self._folder / str(self._servers),
                small_disk_bytes=fault.small_disk_bytes,
                variables={PAUSE_VARIABLE: "0"} if fault.has_hurry else {},
                settings=SETTINGS,
            )
        )
        proxy = self._stack.enter_context(Proxy(server.connection))
        queue, size = (_SLOW_QUEUE, _SLOW_BYTES) if fault.has_slow_client else (64, 0)
        client = self._stack.enter_context(ChaosClient(proxy.connection, queue, size))
        if not self._works(client):
            raise SpeechFaceError(f"the server of the fault runs does no job ({server.last_words})")
        self._stage = Scene(server, proxy), client
        return self._stage

    def _run(self, scene: Scene, client: ChaosClient, random: np.random.Generator) -> None:
        fault = self._fault
        variant = _LONG if fault.has_long_jobs else int(random.integers(VARIANT_COUNT))
        if variant not in self._seconds:  # with this kind's worker and client
            self._seconds[variant] = Job(client, _request(variant)).run(PATIENCE_SECONDS, watch=self._pause).seconds
        worker, server_pid = scene.server.worker(), scene.server.pid
        moment = float(random.uniform(0.0, self._seconds[variant]))
        result = Job(client, _request(variant, fault.misbehaving_seed)).run(
            PATIENCE_SECONDS,
            when=lambda job: job.seconds >= moment,
            disturb=lambda: fault.inject(scene, random),
            heal=scene.heal,
            watch=self._pause,
            is_vain=lambda: not scene.server.is_alive,
        )
        scene.heal()
        self.counts.note("injections")
        is_new = scene.server.pid != server_pid or scene.server.worker() != worker
        if result.ending is not None or scene.server.is_alive:
            judge(self.counts, result, self._whole[variant].digest, is_retried=is_new or result.starts > 1)
        if not self._is_well(scene, client, result):
            self._replace()

    def _pause(self, job: Job) -> None:
        if self._fault.has_slow_client:
            time.sleep(_SLOW_SECONDS)

    def _is_well(self, scene: Scene, client: ChaosClient, result: Result) -> bool:
        """Whether the server lives, answers, and does the next good job; counts it when it does not."""
        if not scene.server.is_alive:
            self.counts.note("SERVER DEAD", scene.server.last_words)
        elif not client.answers(ALIVE_SECONDS):
            self.counts.note("SERVER DEAD", f"no Pong within {ALIVE_SECONDS:.0f} s")
        elif result.ending is not None and not self._works(client):
            self.counts.note("HUNG", f"the next good job did not end within {RECOVERY_SECONDS:.0f} s")
        else:
            return result.ending is not None  # a worker that hangs would spoil the next run
        return False

    def _works(self, client: ChaosClient) -> bool:
        """Whether a good job comes to a good end, with a worker that has loaded its cascade."""
        quick = animation(0, frame_count=1)
        result = Job(client, quick).run(RECOVERY_SECONDS)
        return isinstance(result.ending, Done) and not result.complaints

    def _replace(self) -> None:
        if self._stage is not None:
            scene, _ = self._stage
            scene.server.kill()
            for _ in range(scene.server.left_over):
                self.counts.note("LEFT OVER")
        self._stage = None
        self._stack.close()
        self._stack = ExitStack()


def _request(variant: int, seed: int | None = None) -> AnimateRequest:
    return animation(variant, LONG_FRAME_COUNT if variant == _LONG else None, seed)


def undisturbed_results(progress: Progress = silent) -> list[Result]:
    """One undisturbed result of each variant, the long one last.

    Raises:
        SpeechFaceError: an undisturbed job fails, so nothing can be compared with it.
    """
    results = []
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder, good_server(Path(folder)) as (_, client):
        for variant in range(VARIANT_COUNT + 1):
            progress("undisturbed", variant, VARIANT_COUNT + 1)
            result = Job(client, _request(variant)).run(60.0)
            if result.complaints or not isinstance(result.ending, Done):
                raise SpeechFaceError(f"an undisturbed job went wrong: {result.complaints or result.ending}")
            results.append(result)
    progress("undisturbed", VARIANT_COUNT + 1, VARIANT_COUNT + 1)
    return results


@contextmanager
def good_server(folder: Path) -> Iterator[tuple[ChaosServer, ChaosClient]]:
    """A fresh server that has loaded its cascade, and a client that it has greeted.

    Raises:
        SpeechFaceError: it does not start.
    """
    with ChaosServer(folder, settings=SETTINGS) as served, ChaosClient(served.connection) as client:
        if not client.connect(ALIVE_SECONDS) or not wait_until(lambda: served.worker() is not None, ALIVE_SECONDS):
            raise SpeechFaceError(f"the server of the fault runs does not answer ({served.last_words})")
        yield served, client
