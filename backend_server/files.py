"""Writes files that appear complete or not at all."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_name(path: Path) -> Path:
    """A hidden name beside `path` that no other thread, process or machine uses.

    Its ending is not that of `path`, so a search by ending does not find it. Libraries that take the format from the
    ending, or add one, need the format or an open file.
    """
    return path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}")  # shortened: systems allow about 255 bytes


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A name to write to; the file replaces `path` when the block succeeds, and is deleted when it fails.

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
