"""Holds the installation and the check that run, one of each for this Blender, and drives them by a timer."""

from __future__ import annotations

import atexit

import bpy

from .. import words
from ..session import redraw, session
from .installation import Installation
from .setup_check import SetupCheck

_TICK_SECONDS = 0.1
_REDRAW_TICKS = 5


class SettingUp:
    """What is done to set up the backend.

    Attributes:
        installation: the one that runs, or the last one; None before the first.
        check: likewise.
        failure: of the last installation or removal, a sentence; empty when it succeeded.
        message: what the last installation or removal came to; empty before it.
    """

    def __init__(self) -> None:
        self.installation: Installation | None = None
        self.check: SetupCheck | None = None
        self.failure = ""
        self.message = ""
        self._ticks = 0

    @property
    def is_installing(self) -> bool:
        """Whether an installation runs."""
        return self.installation is not None and not self.installation.is_over

    @property
    def is_checking(self) -> bool:
        """Whether a check runs."""
        return self.check is not None and not self.check.is_over

    def devices(self) -> list[str]:
        """The devices that the backend is known to have."""
        welcome = session.client.welcome if session.client is not None else None
        told = [welcome.device] if welcome is not None and welcome.device != "auto" else []
        found = self.check.devices if self.check is not None else []
        return list(dict.fromkeys((*found, *told))) or ["cpu", "cuda:0"]

    def install(self, installation: Installation) -> None:
        """Begins an installation.

        Raises:
            SpeechFaceError: it cannot succeed here.
        """
        self.failure = self.message = ""
        if self.check is not None:
            self.check.cancel()
            self.check = None
        installation.start()
        self.installation = installation

    def tick(self) -> bool:
        """Takes one step; returns whether something still runs."""
        if self.installation is not None and not self.installation.is_over:
            self.installation.tick()
            if self.installation.is_over:
                self.settle(self.installation)
        if self.check is not None:
            self.check.tick()
        return self.is_installing or self.is_checking

    def settle(self, installation: Installation) -> None:
        """Takes over what an installation came to."""
        error = installation.error
        self.failure = error[:1].upper() + error[1:]
        if installation.is_cancelled:
            self.message = words.fill("Cancelled; Install Backend goes on where it stopped")
        elif not error:
            self.message = words.fill("The backend {0} is installed", installation.plan.wheel.version)
            self.check = SetupCheck.that_found(installation.output)

    def close(self) -> None:
        """Ends what runs."""
        if self.installation is not None and not self.installation.is_over:
            self.installation.cancel()
            self.settle(self.installation)
        if self.check is not None:
            self.check.cancel()

    def on_timer(self) -> float | None:
        """What Blender's timer calls."""
        is_running = self.tick()
        self._ticks += 1
        if not is_running or self._ticks % _REDRAW_TICKS == 0:
            redraw()
        return _TICK_SECONDS if is_running else None


setting_up = SettingUp()


def watch() -> None:
    """Drives what runs from a timer, which goes on when another file is opened."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.register(_on_timer, first_interval=_TICK_SECONDS, persistent=True)


def _on_timer() -> float | None:
    return setting_up.on_timer()


def register() -> None:
    """Makes what runs end with Blender."""
    atexit.register(setting_up.close)


def unregister() -> None:
    """Ends what runs."""
    if bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.unregister(_on_timer)
    setting_up.close()
    atexit.unregister(setting_up.close)
