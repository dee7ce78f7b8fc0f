"""Replaces a file that an earlier run made, and keeps one that is anybody else's.

A hidden file beside it, `.NAME.speech_face`, has the sha256 of what was made, so that a file which was changed since
is known. No bpy.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ._shared import files_of_others


class MadeFile:
    """A file that is being made under a hidden name beside its own.

    Attributes:
        path: its own name.
        temporary: where it is written to; the ending is that of `path`.
        set_aside: how a file is called now that stood in its way and was not ours; None if there was none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.stem}.{secrets.token_hex(8)}{path.suffix}")
        self.set_aside: Path | None = None
        self._mark = path.with_name(f".{path.name}.speech_face")

    def publish(self) -> None:
        """Gives the file its name.

        Raises:
            OSError: it cannot be renamed.
        """
        if self._is_in_the_way():
            self.set_aside = files_of_others.set_aside(self.path)
        # The mark is first: an end between the two loses no file of others.
        self._mark.write_text(files_of_others.sha256_of(self.temporary), "ascii")
        self.temporary.replace(self.path)

    def _is_in_the_way(self) -> bool:
        """Whether something has the name that no run made, or that was changed since."""
        if self.path.is_symlink() or not self.path.is_file():
            return self.path.is_symlink() or self.path.exists()
        try:
            return self._mark.read_text("ascii") != files_of_others.sha256_of(self.path)
        except (FileNotFoundError, UnicodeDecodeError):
            return True


@contextmanager
def making(path: Path) -> Iterator[MadeFile]:
    """A file to be written to `temporary`; it gets its name when the block succeeds, and is deleted when it fails.

    Args:
        path: the file; its folder must exist.

    Raises:
        OSError: it cannot be renamed.
    """
    made = MadeFile(path)
    try:
        yield made
        made.publish()
    finally:
        made.temporary.unlink(missing_ok=True)
