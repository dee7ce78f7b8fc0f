"""Starts a backend of this program's own, where one is installed."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path

from ._shared import backend_process, endpoint, errors

_numbers = itertools.count(1)  # of the backends that this program has started


def new_process(
    python: Path | str | None, folder: Path | str | None, device: str, data_folder: Path | str | None
) -> backend_process.BackendProcess:
    """A backend that is not started yet; the arguments are those of `Backend.start`.

    Raises:
        SpeechFaceError: this Python does not have the backend, and no other is named.
    """
    options = ("--data-dir", str(Path(data_folder).absolute())) if data_folder is not None else ()
    command = backend_process.BackendCommand(Path(python or sys.executable), _folder(python, folder), device, options)
    return backend_process.BackendProcess(command, endpoint.default_connection_file().parent, next(_numbers))


def _folder(python: Path | str | None, folder: Path | str | None) -> Path:
    """Where the backend is started, so that its Python finds it."""
    if folder is not None:
        return Path(folder)
    if python is not None:
        return Path.cwd()
    found = importlib.util.find_spec("backend_server")
    if found is None or found.origin is None:
        raise errors.SpeechFaceError(
            "the backend is not installed in this Python; name the Python that has it, or connect to one that runs"
        )
    return Path(found.origin).parents[1]
