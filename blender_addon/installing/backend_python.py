"""Finds the Python that has the backend, by the add-on's preferences and the environment. No bpy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .._shared import backend_process, errors

PYTHON_VARIABLE = "SPEECH_FACE_PYTHON"


def find_python(
    configured: str, folder: str, environment: Mapping[str, str] = os.environ
) -> backend_process.BackendCommand:
    """The backend's Python: the configured one, else $SPEECH_FACE_PYTHON, else the .venv of the configured folder.

    Raises:
        SpeechFaceError: none of them exists.
    """
    named = configured or environment.get(PYTHON_VARIABLE, "")
    if named:
        python = Path(shutil.which(named) or named).expanduser()
        if not python.is_file():
            origin = "the add-on's preferences" if configured else f"${PYTHON_VARIABLE}"
            raise errors.SpeechFaceError(f"the backend's Python {named}, from {origin}, does not exist; correct it")
        # .venv/bin/python -> the folder that holds .venv; not resolved, since a .venv's Python is a link
        return backend_process.BackendCommand(
            python, Path(folder) if folder else python.absolute().parent.parent.parent
        )
    if not folder:
        raise errors.SpeechFaceError(
            "the backend is not set up; choose the Speech Face folder, or its Python, in the add-on's preferences"
        )
    for name in (".venv/bin/python", ".venv/Scripts/python.exe"):
        if (Path(folder) / name).is_file():
            return backend_process.BackendCommand(Path(folder) / name, Path(folder))
    raise errors.SpeechFaceError(
        f"{folder} holds no .venv with a Python; run `python build.py run` there once, or correct the preferences"
    )
