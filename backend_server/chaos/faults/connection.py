"""Spoils the connection between client and server, and crowds the server with half-open ones."""

from __future__ import annotations

import resource
import socket

import numpy as np
import psutil

from backend_server.chaos.faults.fault import Fault, Scene

_HALF_OPEN_COUNT = 200
_SPARE_DESCRIPTORS = 60  # of the server while it is crowded
_LONGEST_SECONDS = 1.5


def _cut(scene: Scene, random: np.random.Generator) -> float | None:
    """Closes the connections, at once or after some bytes have vanished, or holds everything up for a while."""
    match random.integers(3):
        case 0:
            scene.proxy.cut()
        case 1:
            scene.proxy.swallow(int(random.integers(1, 200_000)), is_answer=bool(random.integers(2)))
            scene.undo.append(scene.proxy.cut)
            return float(random.uniform(0.05, _LONGEST_SECONDS))
        case _:
            scene.proxy.hold(True)
            scene.undo.append(lambda: scene.proxy.hold(False))
            return float(random.uniform(0.05, _LONGEST_SECONDS))
    return None


def _crowd(scene: Scene, random: np.random.Generator) -> float:
    """Two hundred connections without a key, more than the server has descriptors for."""
    process = psutil.Process(scene.server.pid)
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds() + _SPARE_DESCRIPTORS, before[1]))
    scene.undo.append(lambda: _restore(process, before))
    host, _, port = scene.server.connection().address.removeprefix("tcp://").rpartition(":")
    crowd: list[socket.socket] = []
    for _ in range(_HALF_OPEN_COUNT):
        half_open = socket.socket()
        half_open.setblocking(False)
        half_open.connect_ex((host, int(port)))
        crowd.append(half_open)
    scene.undo.append(lambda: _close(crowd))
    return float(random.uniform(0.2, _LONGEST_SECONDS))


def _close(crowd: list[socket.socket]) -> None:
    for half_open in crowd:
        half_open.close()


def _restore(process: psutil.Process, limit: tuple[int, int]) -> None:
    try:
        process.rlimit(resource.RLIMIT_NOFILE, limit)
    except psutil.NoSuchProcess:  # the server died of it
        return


FAULTS = (Fault("connection cut", _cut), Fault("half-open connections", _crowd))
