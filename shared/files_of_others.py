"""Knows a file again by its content, and gives another name to one that stands in the way of a result."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Of the content of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_aside(place: Path) -> Path:
    """Renames a file, a folder or a link, so that its name is free; returns the new name.

    Raises:
        OSError: it cannot be renamed.
    """
    number = 1
    while True:
        ending = " (kept)" if number == 1 else f" (kept {number})"
        other = place.with_name(f"{place.stem}{ending}{place.suffix}")
        if not other.exists() and not other.is_symlink():
            return place.rename(other)
        number += 1


def sentence_about(place: Path, kept: Path) -> str:
    """Tells a user that what had a name is called otherwise now."""
    return f"{place} was not written by Speech Face, or was changed since; it is now {kept}"
