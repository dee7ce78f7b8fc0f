"""Keeps messages on disk, and checks that there is room for them.

One file per message: the number of parts, their lengths, and the parts as they were sent, with their checksums. A file
is complete or absent.
"""

from __future__ import annotations

import errno
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from backend_server.files import atomic_write
from shared.errors import MessageError, NoSpaceError
from shared.wire import MAX_PARTS, Bytes

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write to the disk of a folder."""
    return shutil.disk_usage(folder).free


def check_space(folder: Path, needed: int, measure: FreeBytes = free_bytes) -> None:
    """Checks that a folder's disk has room.

    Raises:
        NoSpaceError: it has too little.
    """
    free = measure(folder)
    if free < needed:
        raise NoSpaceError(
            f"the disk of {folder} has {free / 1e6:,.0f} MB left and this needs {needed / 1e6:,.0f} MB; "
            "free some space, or choose another data folder with --data-dir"
        )


def write_message(path: Path, parts: Sequence[Bytes]) -> None:
    """Writes one message.

    Raises:
        NoSpaceError: the disk is full.
    """
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            file.write(struct.pack(f"<I{len(parts)}Q", len(parts), *(len(part) for part in parts)))
            for part in parts:
                file.write(part)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(f"the disk of {path.parent} is full; free some space and try again") from error
        raise


def read_message(path: Path) -> list[bytes]:
    """The parts of one message; only their lengths are checked.

    Raises:
        MessageError: the file is missing or damaged.
    """
    try:
        with path.open("rb") as file:
            (count,) = struct.unpack("<I", file.read(4))
            if count > MAX_PARTS:
                raise MessageError(f"{path} is damaged: it names {count} parts")
            sizes = struct.unpack(f"<{count}Q", file.read(8 * count))
            if file.tell() + sum(sizes) != path.stat().st_size:
                raise MessageError(f"{path} is damaged: its size is not that of its parts")
            return [file.read(size) for size in sizes]
    except (OSError, struct.error) as error:
        raise MessageError(f"cannot read the stored message {path}: {error}") from error
