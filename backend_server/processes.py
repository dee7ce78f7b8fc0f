"""Tells whether other processes still run."""

from __future__ import annotations

import psutil


def is_alive(process: psutil.Process | None) -> bool:
    """Whether a process runs; one that ended does not, also while nobody has asked for its exit status."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
