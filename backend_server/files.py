"""Writes files that appear complete or not at all, and keeps folders private."""

from __future__ import annotations

import errno
import logging
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.profile import warn_outside_profile

LOG = logging.getLogger(__name__)

_OWN_NAMES = ("jobs", "identities", "clients", "server_key.json", "backend.log", "worker.log")
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


def sweep_temporaries(path: Path, seconds: float = _SWEPT_SECONDS) -> None:
    """Deletes what runs that were killed left beside `path` under a temporary name of it.

    Args:
        path: the file or folder.
        seconds: so old it must be, a week if others may be writing it now.
    """
    pattern = re.compile(rf"\.{re.escape(path.name[:50])}\.[0-9a-f]{{{_DIGITS}}}")
    limit = time.time() - seconds
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


def private_folder(folder: Path) -> None:
    """Creates a folder that only its owner may use; one that others may use is closed to them.

    Raises:
        OSError: it cannot be created.
    """
    warn_outside_profile(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if sys.platform == "win32":  # file modes have no effect
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077 == 0:
        return
    try:
        folder.chmod(0o700)
        LOG.warning("the folder %s was open to other users (mode %04o); it is closed to them now", folder, mode)
    except OSError as error:
        LOG.warning("the folder %s is open to other users (mode %04o) and stays so: %s", folder, mode, error)


def close_if_ours(folder: Path) -> None:
    """Closes a data folder to other users; if it holds more than the backend's own files, only says that it is open."""
    warn_outside_profile(folder)
    if sys.platform == "win32" or not folder.exists():
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o022 == 0:
        return
    foreign = [path.name for path in folder.iterdir() if not path.name.startswith(_OWN_NAMES)]
    if not foreign:
        private_folder(folder)
    else:
        LOG.warning(
            "other users may write in the data folder %s (mode %04o), which also holds %s; choose a folder of its own "
            "with --data-dir",
            folder,
            mode,
            foreign[0],
        )
