"""Ends the server in the middle of a job, and starts it again."""

from __future__ import annotations

import time

import numpy as np

from backend_server.chaos.faults.fault import Fault, Scene

_LONGEST_PAUSE_SECONDS = 0.3


def _kill(scene: Scene, random: np.random.Generator) -> None:
    scene.server.kill()
    time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))
    scene.server.start()


def _terminate(scene: Scene, random: np.random.Generator) -> None:
    scene.server.terminate()
    time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))
    scene.server.start()


FAULTS = (Fault("server killed", _kill), Fault("server ended", _terminate))
