"""Runs the workers of a batch as processes on this machine; one that dies takes only its own line along.

Each is a pool of one process, by Pebble. A pool of several would be lost as a whole with one that is killed while it
loads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import psutil
from pebble import ProcessExpired, ProcessPool

from backend_server.batch.order import Character, Face, Job, Outcome, Plan

if TYPE_CHECKING:  # the process that gives out the lines computes nothing, so it need not load torch
    from backend_server.batch.line import LineMaker

# Numpy's linear algebra looks here when it is loaded. The workers share the cores, so each has one thread, as with Ray.
THREADS = "OMP_NUM_THREADS"
_LOOK_SECONDS = 0.1  # between looks at whether the workers were stopped

_maker: list[LineMaker] = []  # of this process, if it is a worker
_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class LocalWorkers:
    """Processes on this machine, each with its own networks; they end with the process that began them.

    Args:
        plan: what holds for every line.
        count: of processes.
    """

    def __init__(self, plan: Plan, count: int) -> None:
        self._plan = plan
        self._threads_before = os.environ.get(THREADS)
        os.environ[THREADS] = "1"  # workers inherit it, also one that replaces another that died
        self._lock = threading.Lock()
        self._is_stopped = False
        self._pools: set[ProcessPool] = set()
        self._idle: SimpleQueue[ProcessPool] = SimpleQueue()
        for _ in range(count):
            self._idle.put(self._begin_pool())
        self._callers = ThreadPoolExecutor(count)  # each waits for one process
        self.most_waiting = 2 * count  # one in work and one at hand

    def ready(self) -> Future[str]:
        """As `Workers.ready`."""
        return self._callers.submit(self._call, _ready)

    def make(self, job: Job) -> Future[Outcome]:
        """As `Workers.make`."""
        return self._callers.submit(self._call, _make, job)

    def learn(self, character: Character, is_rendered: bool) -> Future[Face]:
        """As `Workers.learn`."""
        return self._callers.submit(self._call, _learn, character, is_rendered)

    def finish(self) -> None:
        """As `Workers.finish`."""

    def stop(self) -> None:
        """As `Workers.stop`."""
        with self._lock:
            self._is_stopped = True
            pools = list(self._pools)
        for pool in pools:
            pool.stop()
            pool.join()
        self._callers.shutdown(cancel_futures=True)
        if self._threads_before is None:
            os.environ.pop(THREADS, None)
        else:
            os.environ[THREADS] = self._threads_before

    def _call(self, task: Callable[_Given, _Made], *given: _Given.args, **named: _Given.kwargs) -> _Made:
        """What an idle process makes of a task; a process that dies is replaced, and the task fails."""
        pool = self._idle.get()
        try:
            return self._result(pool.submit(task, None, *given, **named))
        except (BrokenProcessPool, ProcessExpired):
            with self._lock:
                self._pools.discard(pool)
            pool.stop()
            pool.join()
            pool = self._begin_pool()
            raise
        finally:
            self._idle.put(pool)

    def _result(self, future: Future[_Made]) -> _Made:
        """What comes of a task; a pool that is stopped while it takes one may never say so."""
        while not wait([future], _LOOK_SECONDS).done:
            if self._is_stopped:
                raise CancelledError
        return future.result()

    def _begin_pool(self) -> ProcessPool:
        # "spawn": no worker inherits the lock on the output folder, and all systems behave alike.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPool(1, initializer=_begin, initargs=(self._plan, os.getpid()), context=context)
        with self._lock:
            self._pools.add(pool)
            is_stopped = self._is_stopped
        if is_stopped:
            pool.stop()
        return pool


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
