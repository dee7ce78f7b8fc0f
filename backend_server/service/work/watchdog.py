"""Notices a worker that lives but does not work: stopped, stuck in a stage, or cut off from the server.

Time counts only while the server itself runs: after a sleep of the machine, the worker gets its whole time again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from backend_server.service.settings import ServiceSettings
from backend_server.service.work.pulse import Beat

_LONGEST_STEP = 1.0  # seconds between two looks that count


class Watchdog:
    """Watches one worker.

    Args:
        settings: how long it may be silent, load, compute without progress, and wait for nothing.
        now: seconds that never go back.
    """

    def __init__(self, settings: ServiceSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now = now
        self._looked = now()
        self._silent = self._loading = self._without_progress = self._idle = self._cut_off = 0.0
        self._is_idle = self._is_waiting = False
        self._stage = ""

    def beat(self, beat: Beat, job: str) -> None:
        """Takes a sign of life of a worker that should do `job`."""
        self._silent = 0.0
        self._is_idle = bool(job) and beat.job != job
        self._is_waiting = beat.waiting_seconds > 0.0

    def begin(self) -> None:
        """Notes that the worker was given a job."""
        self.progress("")
        self._is_idle = self._is_waiting = False

    def progress(self, stage: str | None = None) -> None:
        """Notes that a message of the worker's job came."""
        self._silent = self._without_progress = self._idle = self._cut_off = 0.0
        self._stage = self._stage if stage is None else stage

    def reason(self, is_loading: bool, has_job: bool, is_behind: bool) -> str | None:
        """Why the worker must be replaced; None while all is well.

        Args:
            is_loading: it has not said what it has loaded.
            has_job: it was given a job that has not ended.
            is_behind: the server does not take the worker's messages now, so the worker has to wait.
        """
        now = self._now()
        step, self._looked = min(now - self._looked, _LONGEST_STEP), now
        if is_behind:
            self.progress()
            return None
        self._silent += step
        self._loading = self._loading + step if is_loading else 0.0
        self._without_progress = self._without_progress + step if has_job else 0.0
        self._idle = self._idle + step if has_job and self._is_idle else 0.0
        self._cut_off = self._cut_off + step if self._is_waiting else 0.0
        limits = self._settings
        silent_seconds = limits.starting_seconds if is_loading else limits.beat_seconds
        stage = f"in the stage {self._stage}" if self._stage else "at the beginning"
        troubles = (
            (self._loading, limits.loading_seconds, f"it had not loaded after {limits.loading_seconds:g} s"),
            (self._silent, silent_seconds, f"it showed no sign of life for {silent_seconds:g} s"),
            (self._cut_off, limits.lost_seconds, "its messages did not arrive"),
            (self._idle, limits.lost_seconds, "the job or its end was lost on the way"),
            (
                self._without_progress,
                limits.stage_seconds,
                f"it made no progress for {limits.stage_seconds:g} s {stage}",
            ),
        )
        return next((reason for seconds, most, reason in troubles if seconds > most), None)
