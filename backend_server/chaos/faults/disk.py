"""Fills the server's disk, and forbids it to write."""

from __future__ import annotations

import resource

import numpy as np
import psutil

from backend_server.chaos.child import Order
from backend_server.chaos.faults.fault import Fault, Scene

_LONGEST_SECONDS = 1.0
_SMALL_DISK_BYTES = 256 * 1024 * 1024


def _fill(scene: Scene, random: np.random.Generator) -> float | None:
    """The last byte of a small disk; every second time there is room again before the job ends."""
    scene.server.order(Order(is_disk_full=True))
    scene.undo.append(lambda: scene.server.order(Order(is_disk_full=False)))
    return float(random.uniform(0.05, _LONGEST_SECONDS)) if random.random() < 0.5 else None


def _forbid(scene: Scene, random: np.random.Generator) -> float | None:
    """No file of the server may grow beyond a few bytes, the queue's own included."""
    process = psutil.Process(scene.server.pid)
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (int(random.integers(0, 200_000)), before[1]))
    scene.undo.append(lambda: _restore(process, before))
    return float(random.uniform(0.05, _LONGEST_SECONDS)) if random.random() < 0.5 else None


def _restore(process: psutil.Process, limit: tuple[int, int]) -> None:
    try:
        process.rlimit(resource.RLIMIT_FSIZE, limit)
    except psutil.NoSuchProcess:  # the server died of it
        return


FAULTS = (
    Fault("disk full", _fill, small_disk_bytes=_SMALL_DISK_BYTES),
    Fault("writing forbidden", _forbid),
)
