"""Keeps messages on disk, and checks that there is room for them.

One file per message: the number of parts, their lengths, and the parts as they were sent, with their checksums. A file
is complete or absent.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from backend_server.files import atomic_write
from shared.errors import ErrorCode, MessageError, NoSpaceError, SpeechFaceError
from shared.wire import MAX_PARTS, Bytes

LOG = logging.getLogger(__name__)

FreeBytes = Callable[[Path], int]

RESERVE_BYTES = 4 * 1024 * 1024
_DESCRIPTOR_TRIES = 100
_DESCRIPTOR_PAUSE = 0.1  # seconds; connections without keys are closed in less time than all tries take
_Result = TypeVar("_Result")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_WRITABLE = "make the folder writable, or choose another one with --data-dir"
_MANY_FILES = "end other programs, or let this user open more files (ulimit -n)"
_ADVICE = {
    errno.EMFILE: _MANY_FILES,
    errno.ENFILE: _MANY_FILES,
    errno.EFBIG: "let this user write larger files (ulimit -f), or choose a folder on another disk with --data-dir",
}


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write to the disk of a folder, which may be missing; 0 if nobody knows."""
    try:
        return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    except (OSError, StopIteration):
        return 0


def not_enough_space(folder: Path, free: int, needed: int) -> NoSpaceError:
    """The error that says how much room a folder's disk has, and how much is needed."""
    return NoSpaceError(
        f"the disk of {folder} has {free / 1e6:,.0f} MB left and this needs {needed / 1e6:,.0f} MB; "
        "free some space, or choose another data folder with --data-dir"
    )


def spool_is_full(folder: Path, used: int, needed: int, most: int) -> NoSpaceError:
    """The error that says how many bytes messages take, how many more are needed, and how many are allowed."""
    return NoSpaceError(
        f"requests and results in {folder} take {used / 1e6:,.0f} MB, this needs {needed / 1e6:,.0f} MB "
        f"more, and {most / 1e6:,.0f} MB are allowed; `python -m backend_server jobs list --ended` "
        "shows the results that are kept and `jobs forget ID` deletes them, or use a shorter strip or smaller pictures"
    )


def as_reason(error: Exception) -> SpeechFaceError:
    """Why something could not be stored, in one sentence; what nobody expected is logged."""
    if isinstance(error, SpeechFaceError):
        return error
    LOG.error("the store met an unexpected error", exc_info=error)
    return SpeechFaceError(f"the backend cannot store this job ({type(error).__name__}: {error}); read its log")


def _with_a_descriptor(action: Callable[[], _Result]) -> _Result:
    """What the action returns; while no file can be opened because too many are, it is tried again."""
    for _ in range(_DESCRIPTOR_TRIES):
        try:
            return action()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(_DESCRIPTOR_PAUSE)
    return action()


def write_message(path: Path, parts: Sequence[Bytes]) -> None:
    """Writes one message; a missing folder is made again.

    Raises:
        NoSpaceError: the disk is full.
        SpeechFaceError: the file cannot be written.
    """
    try:
        _with_a_descriptor(lambda: _write(path, parts))
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpaceError(f"the disk of {path.parent} is full; free some space and try again") from error
        advice = _ADVICE.get(error.errno or 0, _WRITABLE)
        sentence = f"cannot write in the data folder: {path}: {error.strerror or error}; {advice}"
        raise SpeechFaceError(sentence, code=ErrorCode.INTERNAL) from error


def read_message(path: Path, most: int = MAX_PARTS) -> list[bytes]:
    """The parts of one message, or the first of them; only their lengths are checked.

    Args:
        path: of the file.
        most: how many parts to read.

    Raises:
        MessageError: the file is missing or damaged.
    """
    try:
        with _with_a_descriptor(lambda: path.open("rb")) as file:
            (count,) = struct.unpack("<I", file.read(4))
            if count > MAX_PARTS:
                raise MessageError(f"{path} is damaged: it names {count} parts")
            sizes = struct.unpack(f"<{count}Q", file.read(8 * count))
            if file.tell() + sum(sizes) != path.stat().st_size:
                raise MessageError(f"{path} is damaged: its size is not that of its parts")
            return [file.read(size) for size in sizes[:most]]
    except (OSError, struct.error) as error:
        raise MessageError(f"cannot read the stored message {path}: {error}") from error


def _write(path: Path, parts: Sequence[Bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack(f"<I{len(parts)}Q", len(parts), *(len(part) for part in parts)))
        for part in parts:
            file.write(part)


class Reserve:
    """Space that is kept full, so that it can be given up when the disk is full and an end must still be stored.

    Args:
        path: of the file that fills it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self, free: int) -> None:
        """Fills the reserve, unless it is full or the disk has no room for it.

        Args:
            free: bytes that may be written to the disk.
        """
        try:
            if free >= 2 * RESERVE_BYTES and not self._path.exists():
                with atomic_write(self._path) as temporary:
                    temporary.write_bytes(os.urandom(RESERVE_BYTES))  # zeros would take no space on some disks
        except OSError as error:
            LOG.warning("no space can be kept in reserve: %s", error)

    def give_up(self) -> bool:
        """Frees the reserve; False if there was none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        LOG.warning("the disk is full; the reserve %s is given up", self._path)
        return True
