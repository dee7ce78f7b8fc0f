"""Keeps a server busy from another process, while its answers to Pings are timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np

from backend_server.chaos.client import ChaosClient
from backend_server.chaos.light_cascade import WAITS
from backend_server.chaos.variants import animation
from backend_server.service.work.expectation import FRAMES_PER_MESSAGE
from shared.endpoint import read_connection_file
from shared.protocol import (
    Accepted,
    AdaptRequest,
    AnimateRequest,
    Attach,
    Cancel,
    Done,
    Failed,
    Message,
    Progress,
    new_id,
)

Counter = Synchronized  # of what is done, read by the process that times the Pongs

UPLOAD_BYTES = 960_000_000
QUEUED_JOBS = 1500
_JOBS_AT_ONCE = 50  # a client that floods the service gets no more answers
PURGED_BYTES = 12_000_000_000
_IMAGE_SIDE = 4000  # pixels
IMAGE_BYTES = _IMAGE_SIDE * _IMAGE_SIDE * 3
_LONGEST_SECONDS = 600.0
_RESULT_BYTES = FRAMES_PER_MESSAGE * 256 * 256 * 4


def upload(connection_file: Path, byte_count: int, done: Counter) -> None:
    """Sends pictures of 48 MB each, one after the other, until so many bytes are through; counts them."""
    images = (np.random.default_rng(0).integers(0, 256, (_IMAGE_SIDE, _IMAGE_SIDE, 3), np.uint8),)
    with ChaosClient(lambda: read_connection_file(connection_file), silent_seconds=_LONGEST_SECONDS) as client:
        client.connect(_LONGEST_SECONDS)
        for seed in range(max(1, byte_count // IMAGE_BYTES)):
            request = AdaptRequest(job=new_id(), images=images, epochs=0, seed=seed)
            client.send(request)
            _await(client, lambda message, job=request.job: isinstance(message, Accepted) and message.job == job)
            done.value += IMAGE_BYTES


def queue(connection_file: Path, count: int, done: Counter) -> None:
    """Queues so many jobs behind one that waits, then lets it go, so that all of them run; counts their ends."""
    with ChaosClient(lambda: read_connection_file(connection_file), silent_seconds=_LONGEST_SECONDS) as client:
        client.connect(_LONGEST_SECONDS)
        waits = animation(0, seed=WAITS)
        client.send(waits)
        _await(client, lambda message: isinstance(message, Progress))
        ends: set[str] = set()
        for first in range(0, count, _JOBS_AT_ONCE):
            missing: set[str] = set()
            for seed in range(first, min(first + _JOBS_AT_ONCE, count)):
                request = AnimateRequest(
                    job=new_id(),
                    seed=seed,
                    sample_rate=16_000,
                    speech=np.zeros(1600, np.float32),
                    frame_times=np.arange(3) / 25,
                )
                client.send(request)
                missing.add(request.job)
            ends |= missing
            _await(client, lambda message, missing=missing: not (missing.discard(message.job) or missing))
        client.send(Cancel(job=waits.job))

        def all_done(message: Message) -> bool:
            if isinstance(message, Done | Failed):
                ends.discard(message.job)
                done.value = count - len(ends)
            return not ends

        _await(client, all_done)


def fill_store(client: ChaosClient, byte_count: int, watch: Callable[[int, int], object]) -> None:
    """Lets the worker make so many bytes of results, of which only the end is fetched.

    Args:
        client: connected; the worker's frames must have 256 pixels a side.
        byte_count: of all results.
        watch: called with the messages that exist, and all that will.
    """
    messages = max(1, byte_count // _RESULT_BYTES)
    frames = messages * FRAMES_PER_MESSAGE
    request = animation(0, frame_count=frames)
    client.send(request)
    _await(client, lambda message: isinstance(message, Accepted))
    client.reconnect()  # the new connection is not sent what it does not ask for
    client.connect(_LONGEST_SECONDS)
    client.send(Attach(job=request.job, received=1 + messages))

    def is_done(message: Message) -> bool:
        if isinstance(message, Progress) and message.stage == "texture":
            watch(min(message.step // FRAMES_PER_MESSAGE, messages), messages)
        return isinstance(message, Done | Failed)

    _await(client, is_done)


def _await(client: ChaosClient, is_enough: Callable[[Message], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        seen = [is_enough(message) for message in client.poll(0.05)]
        if any(seen):
            return
