"""Writes files so that nobody ever sees half of one."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_name(path: Path) -> Path:
    """A hidden name beside `path` that no other thread, process or machine uses.

    It does not end as `path` does, so whoever lists files by their ending does not find it. Libraries that tell the
    format from the ending, or add one, have to be told the format or given an open file.
    """
    return path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}")  # cut: systems allow about 255 bytes


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A name to write to, which takes the place of `path` when the block ends well; a failure leaves nothing.

    Args:
        path: the file; its folder must exist.

    Raises:
        FileExistsError: a folder or a device has that name.
        OSError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "it is not a file", str(path))
    temporary = temporary_name(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
