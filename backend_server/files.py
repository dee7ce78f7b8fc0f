"""Writes files that appear complete or not at all."""

from __future__ import annotations

import errno
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DIGITS = 16  # of the random part of a temporary name
_SWEPT_SECONDS = 7 * 24 * 3600.0  # what was not written to for so long was left by a run that was killed


def temporary_name(path: Path) -> Path:
    """A hidden name beside `path` that no other thread, process or machine uses.

    Its ending is not that of `path`, so a search by ending does not find it. Libraries that take the format from the
    ending, or add one, need the format or an open file.
    """
    return path.with_name(
        f".{path.name[:50]}.{secrets.token_hex(_DIGITS // 2)}"
    )  # shortened: systems allow about 255 bytes


def sweep_temporaries(path: Path) -> None:
    """Deletes what runs that were killed left beside `path` under a temporary name of it, if it is a week old."""
    pattern = re.compile(rf"\.{re.escape(path.name[:50])}\.[0-9a-f]{{{_DIGITS}}}")
    limit = time.time() - _SWEPT_SECONDS
    try:
        found = [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name)]
    except OSError:  # no such folder yet, or it cannot be listed
        return
    for entry in found:
        if _last_written(entry) > limit:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _last_written(entry: Path) -> float:
    """When a file, or a folder or something directly in it, was written last, in seconds since 1970."""
    try:
        inside = entry.iterdir() if entry.is_dir() and not entry.is_symlink() else ()
        return max(place.lstat().st_mtime for place in (entry, *inside))
    except OSError:  # it is being deleted by another run
        return time.time()


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
