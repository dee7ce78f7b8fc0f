"""Runs the workers of a batch as processes on this machine, by Pebble: one that dies takes only its own line along."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future
from typing import TYPE_CHECKING

import psutil
from pebble import ProcessPool

from backend_server.batch.order import Character, Face, Job, Outcome, Plan

if TYPE_CHECKING:  # the process that gives out the lines computes nothing, so it need not load torch
    from backend_server.batch.line import LineMaker

# Numpy's linear algebra looks here when it is loaded. The workers share the cores, so each has one thread, as with Ray.
THREADS = "OMP_NUM_THREADS"

_maker: list[LineMaker] = []  # of this process, if it is a worker


class LocalWorkers:
    """Processes on this machine, each with its own networks; they end with the process that began them.

    Args:
        plan: what holds for every line.
        count: of processes.
    """

    def __init__(self, plan: Plan, count: int) -> None:
        # "spawn": no worker inherits the lock on the output folder, and all systems behave alike.
        context = multiprocessing.get_context("spawn")
        self._threads_before = os.environ.get(THREADS)
        os.environ[THREADS] = "1"  # workers inherit it, also one that replaces another that died
        self._pool = ProcessPool(count, initializer=_begin, initargs=(plan, os.getpid()), context=context)
        self.most_waiting = 2 * count  # one in work and one at hand

    def ready(self) -> Future[str]:
        """As `Workers.ready`."""
        return self._pool.submit(_ready, None)

    def make(self, job: Job) -> Future[Outcome]:
        """As `Workers.make`."""
        return self._pool.submit(_make, None, job)

    def learn(self, character: Character, is_rendered: bool) -> Future[Face]:
        """As `Workers.learn`."""
        return self._pool.submit(_learn, None, character, is_rendered)

    def finish(self) -> None:
        """As `Workers.finish`."""

    def stop(self) -> None:
        """As `Workers.stop`."""
        self._pool.stop()
        self._pool.join()
        if self._threads_before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = self._threads_before


def _begin(plan: Plan, owner: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the owner decides
    from backend_server.batch.line import LineMaker  # noqa: PLC0415 (see above)

    _maker.append(LineMaker(plan, psutil.Process(owner)))


def _ready() -> str:
    return _maker[0].ready()


def _make(job: Job) -> Outcome:
    return _maker[0].make(job)


def _learn(character: Character, is_rendered: bool) -> Face:
    return _maker[0].learn(character, is_rendered)
