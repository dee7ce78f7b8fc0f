"""Keeps the folder of each line: it appears whole or not at all, and what others put there is never lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from backend_server.batch.order import RESULT_NAME, Result
from backend_server.files import temporary_name
from shared.files_of_others import set_aside, sha256_of


def read_result(folder: Path) -> Result | None:
    """What `line.json` in a folder says; None if there is none that can be read."""
    try:
        return msgspec.json.decode((folder / RESULT_NAME).read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def unchanged_result(folder: Path, key: str) -> Result | None:
    """The result in a folder if it was made from the same things and all its files are as they were written."""
    result = read_result(folder)
    if result is None or result.key != key:
        return None
    return result if all(_is_as_written(folder / name, digest) for name, digest in result.files.items()) else None


def publish(staging: Path, place: Path) -> list[str]:
    """Renames a finished folder to its place; returns the new names of what stood there and was not only ours.

    An older result whose files nobody has changed is replaced.

    Raises:
        OSError: it cannot be renamed.
    """
    kept = []
    old = temporary_name(staging)
    if place.exists() or place.is_symlink():
        if _is_only_ours(place):
            place.rename(old)
        else:
            kept.append(str(set_aside(place)))
    staging.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    return kept


def _is_only_ours(place: Path) -> bool:
    """Whether a folder holds nothing but a result as it was written."""
    result = None if place.is_symlink() else read_result(place)
    if result is None:
        return False
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_symlink() or not path.is_dir()}
    changed = (
        name for name, digest in result.files.items() if name in found and not _is_as_written(place / name, digest)
    )
    return found <= {*result.files, RESULT_NAME} and not any(changed)


def _is_as_written(path: Path, digest: str) -> bool:
    try:
        return not path.is_symlink() and sha256_of(path) == digest
    except OSError:
        return False
