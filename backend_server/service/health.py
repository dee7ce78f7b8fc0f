"""Tells how the service is: one report for `status` and for Prometheus."""

from __future__ import annotations

import os
import time
from importlib import metadata

import psutil

from backend_server.service.clients import Clients
from backend_server.service.jobs import Scheduler
from backend_server.service.storage.store import JobStore
from shared.health import DELIVERED, MAX_LISTED_JOBS, PARKED, JobHealth, WorkerHealth
from shared.protocol import PROTOCOL_VERSION, StatusReport

READY, LOADING, UNHEALTHY = "ready", "loading", "unhealthy"
_LONGEST_STAGE = 100  # characters


def backend_name() -> str:
    """Program and version."""
    try:
        return f"Speech Face {metadata.version('speech-face')}"
    except metadata.PackageNotFoundError:
        return "Speech Face from source"


class Health:
    """What the parts of one service say of themselves.

    Args:
        device: as requested; the report names it until the worker has chosen one.
        clients: the connected clients.
        store: the jobs.
        scheduler: the queue and the worker.
    """

    def __init__(self, device: str, clients: Clients, store: JobStore, scheduler: Scheduler) -> None:
        self._device = device
        self._clients = clients
        self._store = store
        self._scheduler = scheduler
        self._began = time.monotonic()
        self._backend = backend_name()

    def report(self, parent: str = "", jobs_from: int | None = None, ended_from: int | None = None) -> StatusReport:
        """How the service is now.

        Args:
            parent: ID of the message that asked.
            jobs_from: also lists the jobs that have not ended, from this place on; None: no list.
            ended_from: the same for the jobs that have ended and whose results are kept.
        """
        usage, welcome, trouble = self._store.usage(), self._scheduler.welcome, self._trouble()
        state = UNHEALTHY if trouble else READY if welcome is not None else LOADING
        return StatusReport(
            parent=parent,
            backend=self._backend,
            protocol=PROTOCOL_VERSION,
            pid=os.getpid(),
            uptime_seconds=time.monotonic() - self._began,
            state=state,
            trouble=trouble,
            device=welcome.device if welcome else self._device,
            weights_version=welcome.weights_version if welcome else "",
            worker=self._worker(),
            queue_length=usage.queued,
            jobs=self._scheduler.tally.counts(usage.states),
            client_count=len(self._clients.names),
            spool_bytes=usage.used_bytes,
            spool_limit_bytes=usage.limit_bytes,
            disk_free_bytes=usage.disk_free_bytes,
            memory_bytes=_memory(os.getpid()),
            listed=self._listed(jobs_from, ended_from),
        )

    def _listed(self, jobs_from: int | None, ended_from: int | None) -> tuple[JobHealth, ...] | None:
        first = jobs_from if ended_from is None else ended_from
        if first is None:
            return None
        followers, now = self._clients.follower_counts(), time.time()
        running, progress = self._scheduler.running
        found = []
        for job in self._store.jobs(are_ended=ended_from is not None)[first : first + MAX_LISTED_JOBS]:
            told = progress if job.id == running else None
            found.append(
                JobHealth(
                    id=job.id,
                    kind=job.origin.kind,
                    state=PARKED if job.is_parked else DELIVERED if job.is_delivered else job.state.value,
                    owner=job.origin.owner,
                    age_seconds=None if job.origin.came is None else max(0.0, now - job.origin.came),
                    follower_count=followers[job.id],
                    result_count=job.results,
                    size_bytes=job.size_bytes,
                    stage=told.stage[:_LONGEST_STAGE] if told else "",
                    step=told.step if told else 0,
                    steps=told.steps if told else 0,
                    seconds_left=told.seconds_left if told else None,
                )
            )
        return tuple(found)

    def _trouble(self) -> str:
        """Why jobs cannot be done, in one sentence; empty if they can, or while the worker loads."""
        failure = self._scheduler.load_failure
        if failure is not None:
            return failure.sentence[:4000]
        if self._scheduler.worker is None:
            return "no worker process runs; the next job starts one, and the log says why the last one ended"
        if self._store.free_bytes() == 0:
            return (
                "there is no room for the results of jobs; free some space on the disk of the data folder, or delete "
                "results that are kept: jobs list --ended"
            )
        return ""

    def _worker(self) -> WorkerHealth | None:
        worker = self._scheduler.worker
        if worker is None:
            return None
        job, progress = self._scheduler.running
        return WorkerHealth(
            pid=worker.pid,
            memory_bytes=_memory(worker.pid),
            job=job,
            stage=progress.stage if progress else "",
            step=progress.step if progress else 0,
            steps=progress.steps if progress else 0,
            seconds_left=progress.seconds_left if progress else None,
        )


def _memory(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:  # it has just ended
        return 0
