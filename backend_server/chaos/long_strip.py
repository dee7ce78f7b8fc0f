"""Sends an hour of sound for pictures, twice; the second time the server is killed in the middle."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from backend_server.chaos.client import ChaosClient
from backend_server.chaos.counts import Counts
from backend_server.chaos.job import Job, Result
from backend_server.chaos.judging import judge
from backend_server.chaos.light_cascade import PAUSE_VARIABLE, SIDE_VARIABLE
from backend_server.chaos.server import ChaosServer
from backend_server.progress import Progress, silent
from shared.protocol import AnimateRequest, new_id

STRIP_SECONDS = 3600
SAMPLE_RATE = 16_000
PATIENCE_SECONDS = 1800.0
SILENT_SECONDS = 4.0  # as long as the add-on waits for any message
_VARIABLES = {SIDE_VARIABLE: "256", PAUSE_VARIABLE: "0"}


def long_strip(seconds: int, seed: int, progress: Progress = silent) -> list[Counts]:
    """Runs a strip of so many seconds at one frame a second twice; both runs must be complete and equal.

    Raises:
        SpeechFaceError: the server does not start.
        Cancelled: `progress` asked for the end.
    """
    speech = np.random.default_rng(seed).uniform(-1, 1, seconds * SAMPLE_RATE).astype(np.float32)
    undisturbed = _run(speech, seed, is_killed=False, progress=progress)
    disturbed = _run(speech, seed, is_killed=True, progress=progress)
    rows = []
    for name, result in (("long strip", undisturbed), ("long strip, server killed", disturbed)):
        counts = Counts(name)
        counts.note("injections")
        judge(counts, result, undisturbed.digest, is_retried=result is disturbed)
        rows.append(counts)
    return rows


def _run(speech: np.ndarray, seed: int, *, is_killed: bool, progress: Progress) -> Result:
    frames = len(speech) // SAMPLE_RATE
    request = AnimateRequest(
        job=new_id(),
        seed=seed,
        sample_rate=SAMPLE_RATE,
        speech=speech,
        frame_times=np.arange(frames, dtype=np.float64),
        references=(np.zeros((64, 64, 3), np.uint8),),
    )
    stage = "killed" if is_killed else "undisturbed"
    with (
        tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder,
        ChaosServer(Path(folder), variables=_VARIABLES) as server,
        ChaosClient(server.connection, silent_seconds=SILENT_SECONDS) as client,
    ):

        def restart() -> None:
            if is_killed:
                server.kill()
                server.start()

        result = Job(client, request).run(
            PATIENCE_SECONDS,
            when=lambda job: job.texture_count >= frames // 2,
            disturb=restart,
            watch=lambda job: progress(stage, job.texture_count, frames),
        )
        progress(stage, frames, frames)
        return result
