"""Writes a folder of results; a failure leaves nothing incomplete."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend_server.files import temporary_name
from shared.errors import NoSpaceError, ValueRangeError


@contextmanager
def output_folder(target: Path, needed_bytes: int = 0) -> Iterator[Path]:
    """A hidden folder beside `target`, whose entries move into `target` when the block succeeds.

    Entries of `target` with the same names are replaced; all others stay.

    Args:
        target: the folder that the user chose; created if missing.
        needed_bytes: an estimate of what will be written, checked before work begins.

    Raises:
        ValueRangeError: `target` is a file, or cannot be written.
        NoSpaceError: the disk has less room than `needed_bytes`.
    """
    if target.exists() and not target.is_dir():
        raise ValueRangeError(f"the output {target} is a file; give a folder with --out")
    staging = temporary_name(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
    except OSError as error:
        raise ValueRangeError(f"cannot write beside {target}: {error.strerror}") from error
    try:
        check_free_space(staging, needed_bytes)
        yield staging
        target.mkdir(exist_ok=True)
        for entry in staging.iterdir():
            _replace(entry, target / entry.name)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise NoSpaceError(f"writing to {target} failed: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Raises NoSpaceError when the disk of `folder` has less room than needed."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise NoSpaceError(
            f"{folder.parent} has {free / 2**20:.0f} MiB free and about {needed_bytes / 2**20:.0f} MiB are needed; "
            "free some space or choose another folder with --out"
        )


def _replace(entry: Path, place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif place.exists():
        place.unlink()
    shutil.move(entry, place)
