"""Describes one kind of fault: how it is injected, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backend_server.chaos.proxy import Proxy
from backend_server.chaos.server import ChaosServer


@dataclass
class Scene:
    """What a fault may lay hands on.

    Attributes:
        server: the server and its worker.
        proxy: the network between client and server.
        undo: what takes the last fault back, in order.
    """

    server: ChaosServer
    proxy: Proxy
    undo: list[Callable[[], object]] = field(default_factory=list)

    def heal(self) -> None:
        """Takes back what was injected."""
        while self.undo:
            self.undo.pop()()


# Injects a fault; returns the seconds after which it ends, None: when the job has ended.
Inject = Callable[[Scene, np.random.Generator], float | None]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: as the table shows it.
        inject: injects it once.
        small_disk_bytes: of the disk that the server gets; 0: an ordinary folder.
        has_long_jobs: whether the job is longer than all queues between worker, server and client.
        has_slow_client: whether the client takes its time, so that results wait in the store.
        has_hurry: whether the worker makes its results as fast as it can.
        misbehaving_seed: of some of the requests, for faults inside the cascade.
    """

    name: str
    inject: Inject
    small_disk_bytes: int = 0
    has_long_jobs: bool = False
    has_slow_client: bool = False
    has_hurry: bool = False
    misbehaving_seed: int | None = None
