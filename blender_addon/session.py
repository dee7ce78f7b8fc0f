# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Holds the connection of this Blender to its backend.

One `Session` per Blender: the backend process if it is ours, the connection, and the running generation. Operators and
panels use it; nothing of it is stored in the .blend.
"""

from __future__ import annotations

import atexit
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import words
from ._shared import backend_keeper, backend_process, endpoint, errors
from .client import Client

if TYPE_CHECKING:
    from .generation import Generation
    from .orders import Order
    from .pictures.redrawing import Redrawing
    from .preferences import BackendSettings
    from .reader import Reader
    from .rigs.landmark_search import LandmarkSearch
    from .speakers.photo_search import PhotoSearch

    # What an operator has started, and what ends by itself.
    Run = Generation | LandmarkSearch | PhotoSearch | Redrawing

_WATCH_SECONDS = 0.5
_CANCEL_SECONDS = 0.5  # in which the backend ends a job
_AREAS = {"VIEW_3D": "UI", "SEQUENCE_EDITOR": "UI", "PREFERENCES": "WINDOW"}  # editor -> region with our panel


class Session:
    """The backend, the connection and the running generation of this Blender."""

    def __init__(self) -> None:
        self.backend: backend_process.BackendProcess | None = None
        self.client: Client | None = None
        self.generation: Run | None = None
        self.reader: Reader | None = None  # of the order that is generated next
        self.orders: list[Order] = []  # that wait until the generation has ended
        self.notes: list[str] = []  # of the last generation
        self.failure = ""  # the last one, a sentence; stays until something works or it is dismissed
        self._settings: BackendSettings | None = None
        self._refusal = ""
        self._keeper: backend_keeper.BackendKeeper | None = None  # of our own backend
        self._told = ("", "")  # what the panels show of `status` and `problem`
        self._cancels: set[str] = set()  # jobs that the backend, perhaps started again, must still be told to end

    def connect(self, settings: BackendSettings) -> Client:
        """The connection to the backend, which is started if it is ours and does not run.

        Raises:
            SpeechFaceError: no Python for the backend is found, or it cannot be started.
        """
        if settings != self._settings:
            self.close()
        self._settings = settings
        self._refusal = ""
        if not settings.connection_file and not self._has_backend:
            self._drop_client()  # of a backend that has ended
            self.backend = backend_process.BackendProcess(settings.command(), settings.data_folder)
            self._keeper = backend_keeper.BackendKeeper(self.backend)
            self.backend.start()
        if self._keeper is not None:
            self._keeper.forgive()
        if self.client is None:
            self.client = Client(self._read_connection, _program(), cancels=self._cancels)
        return self.client

    def keep_backend(self) -> None:
        """Starts our own backend again if it has ended, so that jobs can go on; twice in one generation.

        Raises:
            SpeechFaceError: it could not start, or it ended once more.
        """
        if self._keeper is not None:
            self._keeper.keep(self.client)

    @property
    def is_sharing(self) -> bool:
        """Whether the backend is another Blender's."""
        return self.backend is not None and self.backend.is_shared

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, ready or not, to a backend that has not ended."""
        return self.client is not None and (self.backend is None or self.backend.is_running or self.backend.is_shared)

    @property
    def status(self) -> str:
        """One line for the panel."""
        if self._refusal:
            return words.fill("Refused")
        if self.client is None:
            return words.fill("Not running")
        if not self.is_connected:
            return words.fill("Ended unexpectedly")
        if self.client.is_ready and self.client.welcome is not None:
            device = self.client.welcome.device
            is_chosen = device != "auto"  # else the worker has not chosen yet
            if self.is_sharing:
                return words.fill("Ready on {0}, shared" if is_chosen else "Ready, shared", device)
            return words.fill("Ready on {0}" if is_chosen else "Ready", device)
        return words.fill("Starting" if self.backend is not None else "Connecting")

    @property
    def problem(self) -> str:
        """What is wrong with the backend, as a sentence; empty when nothing is known."""
        if self._refusal or self.client is None:
            return self._refusal
        try:
            if self.backend is not None:
                self.backend.check()
        except errors.SpeechFaceError as error:
            return error.sentence
        if self.client.is_ready:
            return ""
        return self.client.last_error.sentence if self.backend is None and self.client.last_error else ""

    def has_news(self) -> bool:
        """Whether `status` or `problem` are others than when this was last asked; panels are drawn again then."""
        before, self._told = self._told, (self.status, self.problem)
        return self._told != before

    def poll_idle(self) -> None:
        """Keeps the connection alive between jobs; disconnects from a backend that refuses; `problem` says why."""
        if self.client is None or self.generation is not None:
            return
        try:
            self.client.poll()
        except errors.SpeechFaceError as error:
            self.close()
            self._refusal = error.sentence
            return
        if self.is_sharing and self.client.welcome is not None and not self.client.is_ready:
            self.close()  # its Blender has ended; the next generation starts our own

    def stop_reading(self) -> None:
        """Ends reading, if something is read."""
        if self.reader is not None:
            self.reader.close()
            self.reader = None

    def close(self) -> None:
        """Ends the connection, and the backend if it is ours; a job that was just cancelled has half a second."""
        self._refusal = ""
        if self.client is not None:
            self.client.await_cancels(_CANCEL_SECONDS)
        self._drop_client()
        if self.backend is not None:
            self.backend.stop()
            self.backend = self._keeper = None

    def _drop_client(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    @property
    def _has_backend(self) -> bool:
        if self.backend is None:
            return False
        return self.backend.is_running or (self.backend.is_shared and self.client is not None and self.client.is_ready)

    def _read_connection(self) -> endpoint.Connection:
        if self._keeper is not None:
            return self._keeper.connection()
        return endpoint.read_connection_file(Path(self._settings.connection_file if self._settings else ""))


def _program() -> str:
    """How the backend's list of jobs calls this Blender."""
    return f"Blender {bpy.app.version_string}, process {os.getpid()} on {platform.node()}"


session = Session()


def redraw() -> None:
    """Redraws the panels that show the session, and nothing else: a large scene takes long to draw."""
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        for area in window.screen.areas:
            if area.type in _AREAS:
                for region in area.regions:
                    if region.type == _AREAS[area.type]:
                        region.tag_redraw()


def watch() -> None:
    """Checks the connection from a timer while no generation runs, so that the panel shows its state."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_watch):
        bpy.app.timers.register(_watch, first_interval=_WATCH_SECONDS)


def _watch() -> float | None:
    session.poll_idle()
    if session.has_news():
        redraw()
    return _WATCH_SECONDS if session.is_connected else None


def register() -> None:
    """Makes the backend end with Blender."""
    atexit.register(session.close)


def unregister() -> None:
    """Ends the backend and the connection."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    session.orders.clear()
    session.stop_reading()
    if session.generation is not None:
        session.generation.discard()
        session.generation = None
    session.close()
    atexit.unregister(session.close)
