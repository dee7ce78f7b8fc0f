"""Runs the workers of a batch as processes on this machine; one that dies takes only its own line along.

Each has a connection and a thread of its own. A pool, whose processes share a queue and its locks, would be lost as a
whole with one that is killed while it loads or takes a job.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any

import psutil

from backend_server.batch.order import Character, Face, Job, Outcome, Plan

_Task = tuple[Future[Any], str, tuple[Any, ...]]  # a method of `LineMaker` with its arguments


class LocalWorkers:
    """Processes on this machine, each with its own networks; they end with the process that began them.

    Args:
        plan: what holds for every line.
        count: of processes.
    """

    def __init__(self, plan: Plan, count: int) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._processes = [_WorkerProcess(plan) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._serve, args=(process.call,), daemon=True) for process in self._processes
        ]
        for thread in self._threads:
            thread.start()
        self.most_waiting = 2 * count  # one in work and one at hand

    def ready(self) -> Future[str]:
        """As `Workers.ready`."""
        return self._give("ready")

    def make(self, job: Job) -> Future[Outcome]:
        """As `Workers.make`."""
        return self._give("make", job)

    def learn(self, character: Character, is_rendered: bool) -> Future[Face]:
        """As `Workers.learn`."""
        return self._give("learn", character, is_rendered)

    def finish(self) -> None:
        """As `Workers.finish`."""

    def stop(self) -> None:
        """As `Workers.stop`."""
        for process in self._processes:
            process.stop()
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _give(self, method: str, *arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        self._tasks.put((future, method, arguments))
        return future

    def _serve(self, call: Callable[[str, tuple[Any, ...]], Any]) -> None:
        """Gives one process task after task; runs in its thread."""
        while task := self._tasks.get():
            future, method, arguments = task
            try:
                result = call(method, arguments)
            except Exception as error:  # noqa: BLE001 (whatever it was, who waits for the future must hear of it)
                future.set_exception(error)
            else:
                future.set_result(result)


class _WorkerProcess:
    """One worker; another is started in its place when it has died."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = threading.Lock()  # around the start and the end of a process
        self._is_stopped = False
        self._process: BaseProcess | None = None
        self._connection: Connection

    def call(self, method: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 (of any method)
        """What a method of the worker's `LineMaker` returns.

        Raises:
            EOFError: the process died.
            OSError: the same.
        """
        connection = self._living()
        try:
            connection.send((method, arguments))
            return connection.recv()
        except (EOFError, OSError):
            with self._lock:
                self._end()  # its connection closes before it has ended: it must not get the next line too
            raise

    def stop(self) -> None:
        """Ends the process at once; no other is started."""
        with self._lock:
            self._is_stopped = True
            self._end()

    def _living(self) -> Connection:
        with self._lock:
            if self._is_stopped:
                raise EOFError("the workers were stopped")
            if self._process is None or not self._process.is_alive():
                self._end()
                # "spawn": no worker inherits the lock on the output folder, and all systems behave alike.
                context = get_context("spawn")
                self._connection, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, self._plan, os.getpid()), daemon=True)
                process.start()
                self._process = process
                theirs.close()  # so that its end is heard
            return self._connection

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()


def _work(connection: Connection, plan: Plan, owner: int) -> None:
    """Does what comes through the connection until that ends, with the owner at the latest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the owner decides
    # The process that gives out the lines computes nothing, so it need not load torch.
    from backend_server.batch.line import LineMaker  # noqa: PLC0415

    try:
        maker = LineMaker(plan, psutil.Process(owner))
        while True:
            method, arguments = connection.recv()
            connection.send(getattr(maker, method)(*arguments))
    except (EOFError, OSError, psutil.NoSuchProcess):  # the owner has ended
        return
