"""Writes a folder of results: a failure leaves nothing incomplete, and files of others are never lost."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend_server.commands.owned_files import OwnedFiles, files_below
from backend_server.files import sweep_temporaries, temporary_name
from shared.errors import NoSpaceError, ValueRangeError
from shared.files_of_others import sentence_about, set_aside


@contextmanager
def output_folder(target: Path, needed_bytes: int = 0, say: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
    """A hidden folder in `target`, whose files move into `target` when the block succeeds.

    What earlier runs wrote into `target` is deleted then, so that nothing old lies beside the new. All other files
    stay, also those of earlier runs that somebody has changed; one whose name is needed gets " (kept)" added to it.

    Args:
        target: the folder that the user chose; created if missing.
        needed_bytes: an estimate of what will be written, checked before work begins.
        say: told of each file that was renamed.

    Raises:
        ValueRangeError: `target` is a file or a link to nothing, or cannot be written.
        NoSpaceError: the disk has less room than `needed_bytes`.
    """
    _check(target)
    staging = temporary_name(target / "results")  # inside: surely on the same disk
    is_new = not target.exists()
    try:
        target.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(target / "results")
        staging.mkdir()
    except OSError as error:
        raise ValueRangeError(f"cannot write to {target}: {error.strerror}; give another folder with --out") from error
    try:
        check_free_space(staging, needed_bytes)
        yield staging
        _publish(staging, target, say)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise NoSpaceError(f"writing to {target} failed: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if is_new:
            _remove_if_empty(target)


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Raises NoSpaceError when the disk of `folder` has less room than needed."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise NoSpaceError(
            f"{folder.parent} has {free / 2**20:.0f} MiB free and about {needed_bytes / 2**20:.0f} MiB are needed; "
            "free some space or choose another folder with --out"
        )


def _check(target: Path) -> None:
    if target.is_symlink() and not target.exists():
        raise ValueRangeError(
            f"the output {target} is a link to {target.readlink()}, which does not exist; create that folder, or "
            "give another one with --out"
        )
    if target.exists() and not target.is_dir():
        raise ValueRangeError(f"the output {target} is a file; give a folder with --out")


def _publish(staging: Path, target: Path, say: Callable[[str], None]) -> None:
    """Replaces what earlier runs wrote by what lies in `staging`.

    The list of owned files is written before anything moves: whatever ends this half-way, the next run finds in it
    both the old files and the new ones.
    """
    owned = OwnedFiles(target)
    names = files_below(staging)
    for name in names:
        for place in _ways(target, name):
            if _is_in_the_way(owned, target, name, place):
                say(sentence_about(place, set_aside(place)))
    old = [name for name in owned.names if owned.owns(name)]
    for name in set(owned.names) - set(old):
        owned.forget(name)
    for name in set(names) & set(old):  # before the list holds the new file of that name
        (target / name).unlink()
    for name in names:
        owned.add(name, staging / name)
    owned.save()
    for name in set(old) - set(names):
        (target / name).unlink()
        owned.forget(name)
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staging / name, target / name)
    for folder in sorted({parent for name in old for parent in Path(name).parents}, reverse=True):
        _remove_if_empty(target / folder)
    owned.save()


def _ways(target: Path, name: str) -> list[Path]:
    """The folders in `target` on the way to a file, and its own place."""
    return [target / part for part in [*reversed(Path(name).parents[:-1]), Path(name)]]


def _is_in_the_way(owned: OwnedFiles, target: Path, name: str, place: Path) -> bool:
    """Whether something of others stands where a file, or a folder on the way to it, must be."""
    if not place.exists() and not place.is_symlink():
        return False
    if place != target / name:
        return place.is_symlink() or not place.is_dir()
    return not owned.owns(name)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.EBUSY):
            raise
