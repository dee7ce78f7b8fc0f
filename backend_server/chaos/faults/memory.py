"""Takes the worker's memory away, or lets its cascade run out of it."""

from __future__ import annotations

import resource

import numpy as np
import psutil

from backend_server.chaos.faults.fault import Fault, Scene
from backend_server.chaos.light_cascade import NO_MEMORY

_MOST_SPARE_BYTES = 4 * 1024 * 1024


def _take_away(scene: Scene, random: np.random.Generator) -> None:
    """The worker may have what it has and a little more; its next allocations fail."""
    worker = scene.server.worker()
    if worker is None:
        return
    try:
        before = worker.rlimit(resource.RLIMIT_AS)
        spare = int(random.integers(0, _MOST_SPARE_BYTES))
        worker.rlimit(resource.RLIMIT_AS, (worker.memory_info().vms + spare, before[1]))
    except psutil.NoSuchProcess:
        return
    scene.undo.append(lambda: _restore(worker, before))


def _nothing(scene: Scene, random: np.random.Generator) -> None:
    """The cascade itself raises MemoryError."""


def _restore(worker: psutil.Process, limit: tuple[int, int]) -> None:
    try:
        worker.rlimit(resource.RLIMIT_AS, limit)
    except psutil.NoSuchProcess:  # the server replaced it
        return


FAULTS = (
    Fault("no memory in the worker", _take_away),
    Fault("no memory in the cascade", _nothing, misbehaving_seed=NO_MEMORY),
)
