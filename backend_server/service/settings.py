"""Holds the settings of one backend service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend_server.identities.store import identity_folder
from backend_server.service.storage.job_index import StoreLimits

CASCADE = "backend_server.cascade:Cascade"


@dataclass(frozen=True)
class ServiceSettings:
    """How one service runs.

    Attributes:
        connection_file: where clients find address and keys.
        data_dir: keeps queue, results, identities and logs.
        device: of the worker, "cpu", "cuda:0" or "auto".
        bind: IP address to listen on, optionally with ":port".
        keep_keys: the service's keys outlive a restart; they do anyway when other machines may connect.
        cascade: "module:attribute" of the class that the worker loads.
        parent_pid: the service ends when this process does, which keeps what it writes to standard error; None: it
            goes on.
        metrics_port: where Prometheus finds figures, on this machine only; 0: any free port; None: nowhere.
        cancel_seconds: how long a cancelled worker may take before the client is answered without it.
        stuck_seconds: how long after that it may take before it is killed.
        worker_attempts: how often a job is started in all when its worker dies, stops or loses results.
        beat_seconds: a worker that shows no sign of life for this long is replaced.
        starting_seconds: the same while it loads; opening PyTorch's libraries stops all threads of a process.
        loading_seconds: a worker that has not loaded the cascade after this long is replaced.
        stage_seconds: a worker whose job makes no progress for this long is replaced.
        lost_seconds: a worker that does nothing for this long, while its job has not ended, is replaced.
        keep_seconds: how long the results of an ended job stay after a client got them.
        keep_undelivered_seconds: how long they stay when no client got them.
        park_seconds: how long after a restart jobs wait for their clients; without them they come after all others.
        spare_bytes: free space that jobs must leave on the disk.
        spool_bytes: how much requests and results may take in all.
        longest_queue: how many jobs may wait and run.
        unwritten_bytes: above this much in memory that waits for the disk, clients are asked to pause their uploads.
        silent_seconds: a client that sent nothing for this long is forgotten; it may send Hello again.
        handshake_seconds: a connection whose keys were not proved for this long is closed.
        most_connections: above this, those that have not proved their keys are cut.
    """

    connection_file: Path
    data_dir: Path
    device: str = "auto"
    bind: str = "127.0.0.1"
    keep_keys: bool = False
    cascade: str = CASCADE
    parent_pid: int | None = None
    metrics_port: int | None = None
    cancel_seconds: float = 0.3
    stuck_seconds: float = 5.0
    worker_attempts: int = 2
    beat_seconds: float = 60.0
    starting_seconds: float = 180.0
    loading_seconds: float = 600.0
    stage_seconds: float = 300.0
    lost_seconds: float = 10.0
    keep_seconds: float = 7 * 24 * 3600.0
    keep_undelivered_seconds: float = 30 * 24 * 3600.0
    park_seconds: float = 30.0
    spare_bytes: int = 256 * 1024 * 1024
    spool_bytes: int = 64 * 1024 * 1024 * 1024  # an hour of texture takes 24 GB
    longest_queue: int = 2000
    unwritten_bytes: int = 256 * 1024 * 1024
    silent_seconds: float = 300.0
    handshake_seconds: float = 5.0
    most_connections: int = 256

    @property
    def identity_dir(self) -> Path:
        """Where identities are kept."""
        return identity_folder(self.data_dir)

    @property
    def client_dir(self) -> Path:
        """Where the keys of clients on other machines are kept."""
        return client_folder(self.data_dir)

    @property
    def job_dir(self) -> Path:
        """Where the queue and the results are kept."""
        return self.data_dir / "jobs"


def client_folder(data_dir: Path) -> Path:
    """Where a data folder keeps the keys of clients on other machines."""
    return data_dir / "clients"


def store_limits(settings: ServiceSettings) -> StoreLimits:
    """How much the store of a service keeps."""
    return StoreLimits(
        spare_bytes=settings.spare_bytes,
        spool_bytes=settings.spool_bytes,
        longest_queue=settings.longest_queue,
        keep_seconds=settings.keep_seconds,
        keep_undelivered_seconds=settings.keep_undelivered_seconds,
        park_seconds=settings.park_seconds,
    )
