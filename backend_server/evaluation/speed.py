"""How fast does sound become landmarks, and on what machine?"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import SAMPLE_RATE
from shared.timing import FrameRate, frame_times

REPEATS = 3


def machine(device: str) -> str:
    """The machine in words, for a table of figures."""
    threads = torch.get_num_threads()
    accelerator = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{threads} CPU threads"
    return f"{platform.system()} {platform.machine()}, {accelerator}, torch {torch.__version__}"


def real_time_factor(cascade: Cascade, speech: NDArray[np.float32], threads: int | None = None) -> float:
    """Seconds from sound to landmarks at 25 frames a second, features included, a second of sound; the best of three.

    Args:
        cascade: already loaded.
        speech: (S,), 16 kHz.
        threads: how many the computation may take; as many as torch has when None.
    """
    seconds = len(speech) / SAMPLE_RATE
    times = frame_times(seconds, FrameRate(25))
    spent = []
    with limited_threads(threads):
        for _ in range(REPEATS):
            start = time.perf_counter()
            cascade.animate(speech, SAMPLE_RATE, times)
            spent.append(time.perf_counter() - start)
    return min(spent) / seconds


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Inside the block torch computes with so many threads; None leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
