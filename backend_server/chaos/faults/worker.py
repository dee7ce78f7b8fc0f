"""Kills or stops the worker process, or cuts its line to the server."""

from __future__ import annotations

import signal

import numpy as np
import psutil

from backend_server.chaos.child import Order
from backend_server.chaos.faults.fault import Fault, Scene


def _kill(scene: Scene, random: np.random.Generator) -> None:
    worker = scene.server.worker()
    if worker is not None:
        worker.kill()


def _stop(scene: Scene, random: np.random.Generator) -> float | None:
    """Every second time the worker never goes on by itself."""
    worker = scene.server.worker()
    if worker is None:
        return None
    worker.send_signal(signal.SIGSTOP)
    scene.undo.append(lambda: _continue(worker))
    return float(random.uniform(0.05, 1.0)) if random.random() < 0.5 else None


def _cut(scene: Scene, random: np.random.Generator) -> None:
    worker = scene.server.worker()
    if worker is None:
        return
    try:
        ports = tuple(c.laddr[1] for c in worker.net_connections("tcp") if c.laddr)
    except psutil.Error:
        return
    scene.server.order(Order(cut_ports=ports))


def _continue(worker: psutil.Process) -> None:
    try:
        worker.send_signal(signal.SIGCONT)
    except psutil.NoSuchProcess:  # the server replaced it
        return


FAULTS = (
    Fault("worker killed", _kill),
    Fault("worker stopped", _stop),
    Fault("worker's line cut", _cut, has_long_jobs=True, has_hurry=True),
)
