"""Tells whether other processes still run, and which signals ask this one to end."""

from __future__ import annotations

import signal

import psutil


def is_alive(process: psutil.Process | None) -> bool:
    """Whether a process runs; one that ended does not, also while nobody has asked for its exit status."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ending_signals() -> list[signal.Signals]:
    """Ctrl-C, a process manager's SIGTERM, and the end of the terminal.

    The last is left out where Windows has no such signal, or where the program shall outlive its terminal (`nohup`).
    """
    found = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found
