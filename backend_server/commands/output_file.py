"""Writes a file of results: it appears whole or not at all, and no file of others is ever lost."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backend_server.commands.owned_files import OwnedFiles
from backend_server.files import atomic_write, sweep_temporaries
from shared.errors import NoSpaceError, ValueRangeError
from shared.files_of_others import sentence_about, set_aside


@contextmanager
def output_file(target: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
    """A name to write to; the file takes the place of `target` when the block succeeds.

    What an earlier run wrote there is replaced. A file of others, or one that somebody has changed, gets " (kept)"
    added to its name.

    Args:
        target: the file that the user chose; its folder is created if missing.
        say: told when a file was renamed.

    Raises:
        NoSpaceError: the disk is full.
        ValueRangeError: the file cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(target)
        with atomic_write(target) as temporary:
            yield temporary
            _make_room(target, temporary, say)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(f"the disk of {target.parent} is full; free some space and try again") from error
        raise ValueRangeError(f"cannot write {target}: {error.strerror or error}; choose another place") from error


def check_apart(target: Path, inputs: Sequence[Path]) -> None:
    """Refuses a place that would replace an input or lie among inputs.

    Args:
        target: the file that will be written.
        inputs: files, and folders whose files are read.

    Raises:
        ValueRangeError: `target` is one of the files, also through a link, or lies directly in one of the folders.
    """
    folders = [folder for folder in (target.parent.resolve(), target.resolve().parent) if folder.exists()]
    for path in filter(Path.exists, inputs):
        if path.is_dir():
            if any(folder.samefile(path) for folder in folders):
                raise ValueRangeError(
                    f"{target} would lie among the files of {path}, which are read; choose another place"
                )
        elif target.exists() and target.samefile(path):
            raise ValueRangeError(f"{target} would replace {path}, which is read; choose another name")


def _make_room(target: Path, new: Path, say: Callable[[str], None]) -> None:
    """Renames what is not ours. The list holds the new file before it moves, so nothing of others can look ours."""
    owned = OwnedFiles(target.parent)
    if (target.exists() or target.is_symlink()) and not owned.owns(target.name):
        say(sentence_about(target, set_aside(target)))
    owned.add(target.name, new, is_alone=True)
    owned.save()
