"""Sets the server's clock eight days forwards or backwards while results are on their way."""

from __future__ import annotations

import numpy as np

from backend_server.chaos.child import Order
from backend_server.chaos.faults.fault import Fault, Scene

_EIGHT_DAYS_SECONDS = 8 * 24 * 3600.0


def _jump(scene: Scene, random: np.random.Generator) -> None:
    days = _EIGHT_DAYS_SECONDS if random.random() < 0.75 else -_EIGHT_DAYS_SECONDS
    scene.server.order(Order(clock_seconds=days))
    scene.undo.append(lambda: scene.server.order(Order(clock_seconds=0.0)))


FAULTS = (Fault("clock jumps", _jump, has_long_jobs=True, has_slow_client=True, has_hurry=True),)
