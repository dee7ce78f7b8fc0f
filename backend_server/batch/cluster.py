"""Runs the workers of a batch as actors on a Ray cluster: one for each GPU of it, or one for each core without GPUs.

Ray places them, starts one that died again, there or on another machine, and gives it its line again.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

import ray

from backend_server.batch.line import LineMaker
from backend_server.batch.order import Character, Face, Job, Outcome, Plan
from shared.errors import ErrorCode, SpeechFaceError

TRIES_AGAIN = 3  # of a line whose worker died; one that kills its worker must not do so for ever


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
        actor = ray.remote(LineMaker).options(max_restarts=-1, max_task_retries=TRIES_AGAIN, **needs)
        self._idle: SimpleQueue[Any] = (
            SimpleQueue()
        )  # its `get` waits, as a result may be known before its actor is back
        for _ in range(count):
            self._idle.put(actor.remote(plan))
        self.most_waiting = count
        self._is_finished = False
        if not count:
            raise SpeechFaceError(
                f"the Ray cluster {address} has no {kind}; start its machines", code=ErrorCode.BAD_VALUE
            )

    def make(self, job: Job) -> Future[Outcome]:
        """As `Workers.make`."""
        actor = self._idle.get()
        return self._returning(actor, actor.make.remote(job))

    def learn(self, character: Character, is_rendered: bool) -> Future[Face]:
        """As `Workers.learn`."""
        actor = self._idle.get()
        return self._returning(actor, actor.learn.remote(character, is_rendered))

    def ready(self) -> Future[str]:
        """As `Workers.ready`."""
        actor = self._idle.get()
        return self._returning(actor, actor.ready.remote())

    def finish(self) -> None:
        """As `Workers.finish`; idle actors end, so that one whose machine was lost finds room on another."""
        self._is_finished = True
        while not self._idle.empty():
            self._idle.get()

    def stop(self) -> None:
        """As `Workers.stop`."""
        ray.shutdown()

    def _returning(self, actor: Any, reference: Any) -> Future[Any]:  # noqa: ANN401 (Ray's handles have no types)
        future = reference.future()
        future.add_done_callback(partial(self._give_back, actor))
        return future

    def _give_back(self, actor: Any, _: Future[Any]) -> None:  # noqa: ANN401
        if not self._is_finished:
            self._idle.put(actor)
