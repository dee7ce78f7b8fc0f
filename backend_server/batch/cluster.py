"""Runs the workers of a batch as actors on a Ray cluster: one for each GPU of it, or one for each core without GPUs.

Ray places them, starts one that died again, there or on another machine, and gives it its line again.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

import ray

from backend_server.batch.line import LineMaker
from backend_server.batch.order import Character, Face, Job, Outcome, Plan
from shared.errors import ErrorCode, SpeechFaceError

ANSWER_SECONDS = 5.0
RESTARTS = 3  # of an actor, after which its line counts as failed: one that kills its worker must not do so for ever


class RayWorkers:
    """Actors on a cluster whose machines all have Speech Face and see the output folder and the sounds.

    Args:
        plan: what holds for every line.
        address: of the cluster, as `ray.init` takes it.
        most: actors at most.

    Raises:
        SpeechFaceError: the cluster does not answer, or has no core free.
    """

    def __init__(self, plan: Plan, address: str, most: int) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to others
        try:
            host, _, port = address.removeprefix("ray://").rpartition(":")
            if port.isdigit():  # Ray itself would try for minutes
                socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
            ray.init(address, configure_logging=False, log_to_driver=False)
        except Exception as error:
            raise SpeechFaceError(
                f"the Ray cluster {address} does not answer ({error}); start one with: ray start --head",
                code=ErrorCode.BACKEND_UNREACHABLE,
            ) from error
        resources = ray.cluster_resources()
        kind = "GPU" if resources.get("GPU") and plan.device != "cpu" else "CPU"
        count = min(int(resources.get(kind, 0)), most)
        needs = {"num_gpus": 1, "num_cpus": 0} if kind == "GPU" else {"num_cpus": 1}
        actor = ray.remote(LineMaker).options(max_restarts=RESTARTS, max_task_retries=-1, **needs)
        self._begin = partial(actor.remote, plan)
        # Its `get` waits, as a result may be known before its actor is back; None stands for one that died for good.
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(count):
            self._idle.put(self._begin())
        self.most_waiting = count
        if not count:
            raise SpeechFaceError(
                f"the Ray cluster {address} has no {kind}; start its machines", code=ErrorCode.BAD_VALUE
            )

    def make(self, job: Job) -> Future[Outcome]:
        """As `Workers.make`."""
        actor = self._actor()
        return self._returning(actor, actor.make.remote(job))

    def learn(self, character: Character, is_rendered: bool) -> Future[Face]:
        """As `Workers.learn`."""
        actor = self._actor()
        return self._returning(actor, actor.learn.remote(character, is_rendered))

    def ready(self) -> Future[str]:
        """As `Workers.ready`."""
        actor = self._actor()
        return self._returning(actor, actor.ready.remote())

    def finish(self) -> None:
        """As `Workers.finish`; idle actors end, so that one whose machine was lost finds room on another."""
        while not self._idle.empty():
            if actor := self._idle.get():
                ray.kill(actor)

    def stop(self) -> None:
        """As `Workers.stop`."""
        ray.shutdown()

    def _actor(self) -> Any:  # noqa: ANN401 (Ray's handles have no types)
        return self._idle.get() or self._begin()

    def _returning(self, actor: Any, reference: Any) -> Future[Any]:  # noqa: ANN401
        future = reference.future()
        # Ray runs this in the thread that hears from the cluster, so nothing may be asked of the cluster here.
        future.add_done_callback(lambda done: self._idle.put(None if done.exception() else actor))
        return future
