"""Measures how fast sound becomes landmarks, and how large the weights are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import SAMPLE_RATE
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.page.report import Section, Table
from backend_server.evaluation.run import Context
from backend_server.speech.listener import speech_file
from shared.timing import FrameRate, frame_times

REPEATS = 3
SECONDS = 60.0  # of sound


def run(context: Context) -> Section:
    """Both figures with their goals; the sound is that of the judged clips."""
    sound = np.concatenate([take.waveform for takes in context.groups.values() for take in takes])
    speed = real_time_factor(context.cascade, np.resize(sound, int(SECONDS * SAMPLE_RATE)), threads=1)
    weights = context.settings.weights
    files = [speech_file(weights), *(weights / f"{stage}.safetensors" for stage in ("motion", "blink", "arkit"))]
    mebibytes = sum(file.stat().st_size for file in files) / 2**20
    rows = (("seconds a second of sound, features included", (speed,)), ("MiB of weights", (mebibytes,)))
    return Section(
        "Speed and size",
        (f"From {SECONDS:.0f} s of sound to landmarks at 25 frames a second, on one thread.",),
        (Table("Speed and size of hearing, motion, blinks and ARKit's shapes", ("measured",), rows),),
        goals=(
            Goal("sound to landmarks on one thread, real-time factor", 0.01, speed),
            Goal("weights of hearing, motion, blinks and ARKit's shapes, MiB", 14, mebibytes),
        ),
    )


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
