"""Knows where the add-on installs the backend, what is installed there, and removes it. No bpy.

The folder lies among those that the operating system keeps for this user's programs, not inside the extension: Blender
deletes an extension's own folder with it, and every version of Blender would need its own copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from .._shared import endpoint, errors

FOLDER_NAME = "backend"
MARKER = "installed.json"
_REMOVED = re.compile(r"backend\.removed-\d+")


@dataclass(frozen=True)
class Record:
    """What a folder says of the installation in it.

    Attributes:
        stages: what each stage that is complete was made from; a stage that finds the same here is left out.
        version: of the backend; empty before it is installed.
        build: of PyTorch, "cpu" or "cuda".
    """

    stages: dict[str, str] = field(default_factory=dict)
    version: str = ""
    build: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether all was installed and has passed its check."""
        return "check" in self.stages


@dataclass(frozen=True)
class Wheel:
    """The file that holds the backend.

    Attributes:
        path: of the file.
        version: of the backend.
        torch: the version of PyTorch that it needs.
        digest: sha256 of the file.
    """

    path: Path
    version: str
    torch: str
    digest: str


def folder_in(chosen: str) -> Path:
    """Where the backend is installed: inside the chosen folder, or at the usual place of this user."""
    return (Path(chosen).expanduser() if chosen else endpoint.user_folder()) / FOLDER_NAME


def python_in(folder: Path) -> Path:
    """The Python of the environment in an installation's folder."""
    return folder / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read_record(folder: Path) -> Record:
    """What is installed in a folder; an empty record if nothing is."""
    try:
        content = json.loads((folder / MARKER).read_text("utf-8"))
        stages = {str(name): str(key) for name, key in content["stages"].items()}
        return Record(stages, str(content["version"]), str(content["build"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record()


def write_record(folder: Path, record: Record) -> None:
    """Keeps what is installed; the file is replaced whole."""
    temporary = folder / (MARKER + ".new")
    content = {"stages": record.stages, "version": record.version, "build": record.build}
    temporary.write_text(json.dumps(content, indent=1), "utf-8")
    temporary.replace(folder / MARKER)


def is_usable(folder: Path) -> bool:
    """Whether the backend is installed there; reads one small file."""
    return read_record(folder).is_complete and python_in(folder).is_file()


def check_folder(folder: Path) -> None:
    """Checks that a folder may be installed into or removed.

    Raises:
        SpeechFaceError: it is not a folder, or holds what the add-on did not put there.
    """
    if folder.exists() and not folder.is_dir():
        raise errors.SpeechFaceError(f"{str(folder)!r} is a file; choose another Install Folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise errors.SpeechFaceError(
            f"{str(folder)!r} holds files that Speech Face did not put there; choose another Install Folder"
        )


def read_wheel(path: Path) -> Wheel:
    """Reads what the installation must know of the backend's wheel.

    Raises:
        SpeechFaceError: it is no wheel of the backend.
    """
    try:
        status = path.stat()
        return _read_wheel(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise errors.SpeechFaceError(
            f"the backend's wheel {str(path)!r} cannot be read ({error.strerror}); choose another file"
        ) from error


@lru_cache(maxsize=4)  # panels ask at each redraw
def _read_wheel(path: Path, _modified: int, _size: int) -> Wheel:
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (
                each for each in archive.namelist() if re.fullmatch(r"speech_face-[^/]+\.dist-info/METADATA", each)
            )
            metadata = archive.read(name).decode()
            if "backend_server/__main__.py" not in archive.namelist():
                raise ValueError
        (version,) = re.findall(r"^Version: (\S+)$", metadata, re.MULTILINE)
        (torch,) = re.findall(r"^Requires-Dist: torch==([\d.]+)$", metadata, re.MULTILINE)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise errors.SpeechFaceError(
            f"{str(path)!r} is no wheel of the backend; choose speech_face-VERSION-py3-none-any.whl, which "
            "`python build.py wheel` makes"
        ) from error
    return Wheel(path, version, torch, hashlib.sha256(path.read_bytes()).hexdigest())


def bundled_wheel(addon: Path) -> Path | None:
    """The wheel inside the add-on's own folder; None in a slim zip, which has none."""
    return next(iter(sorted(addon.glob("backend/speech_face-*.whl"), reverse=True)), None)


def set_aside(folder: Path) -> Path | None:
    """Takes an installation out of use at once; returns the folder that can be deleted at leisure, None without one.

    Raises:
        SpeechFaceError: it is in use, or not the add-on's.
    """
    if not folder.exists():
        return None
    check_folder(folder)
    removed = folder.with_name(f"{folder.name}.removed-{os.getpid()}")
    try:
        folder.rename(removed)
    except OSError as error:
        raise errors.SpeechFaceError(
            f"{str(folder)!r} cannot be removed ({error.strerror}); stop the backend in all Blenders and try again"
        ) from error
    return removed


def leftovers(folder: Path) -> list[Path]:
    """Folders beside an installation that were set aside and are not deleted yet."""
    if not folder.parent.is_dir():
        return []
    return [path for path in folder.parent.iterdir() if _REMOVED.fullmatch(path.name)]
