"""Holds the settings of one backend service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend_server.identities.store import identity_folder

CASCADE = "backend_server.cascade:Cascade"


@dataclass(frozen=True)
class ServiceSettings:
    """How one service runs.

    Attributes:
        connection_file: where clients find address and keys.
        data_dir: keeps queue, results, identities and logs.
        device: of the worker, "cpu", "cuda:0" or "auto".
        bind: IP address to listen on, optionally with ":port".
        cascade: "module:attribute" of the class that the worker loads.
        parent_pid: the service ends when this process does; None: it goes on.
        cancel_seconds: how long a cancelled worker may take before the client is answered without it.
        stuck_seconds: how long after that it may take before it is killed.
        worker_attempts: how often a job is started in all when its worker dies.
        keep_seconds: how long the results of an ended job stay for clients to attach to.
        spare_bytes: free space that jobs must leave on the disk.
        silent_seconds: a client that sent nothing for this long is forgotten; it may send Hello again.
    """

    connection_file: Path
    data_dir: Path
    device: str = "auto"
    bind: str = "127.0.0.1"
    cascade: str = CASCADE
    parent_pid: int | None = None
    cancel_seconds: float = 0.3
    stuck_seconds: float = 5.0
    worker_attempts: int = 2
    keep_seconds: float = 7 * 24 * 3600.0
    spare_bytes: int = 256 * 1024 * 1024
    silent_seconds: float = 300.0

    @property
    def identity_dir(self) -> Path:
        """Where identities are kept."""
        return identity_folder(self.data_dir)

    @property
    def job_dir(self) -> Path:
        """Where the queue and the results are kept."""
        return self.data_dir / "jobs"
