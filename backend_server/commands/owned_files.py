"""Knows which files of a folder were written by earlier runs and not changed since: only these may be replaced.

A hidden list in the folder, `.speech_face.json`, has the size, time and sha256 of each. `python -m
backend_server.commands.owned_files FILE` puts one more file into it, for programs that write beside a command.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from backend_server.files import atomic_write
from shared.files_of_others import sha256_of

LIST = ".speech_face.json"


class _File(msgspec.Struct, frozen=True):
    size: int
    modified_ns: int
    sha256: str
    is_alone: bool = False  # it belongs to no folder of results, so the next run there does not delete it


class _List(msgspec.Struct):
    files: dict[str, _File] = {}  # by the path in the folder, with "/"; msgspec copies the default


class OwnedFiles:
    """The files of a folder that earlier runs wrote.

    Args:
        folder: need not exist; a list that cannot be read counts as empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._list = msgspec.json.decode((folder / LIST).read_bytes(), type=_List)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            self._list = _List()

    @property
    def names(self) -> list[str]:
        """All that belong to results in this folder, also those that are gone or changed."""
        return [name for name, file in self._list.files.items() if not file.is_alone]

    def owns(self, name: str) -> bool:
        """Whether a file is in the list and was not changed since it was written."""
        known, path = self._list.files.get(name), self._folder / name
        if known is None or path.is_symlink() or not path.is_file():
            return False
        status = path.stat()
        if status.st_size != known.size:
            return False
        return status.st_mtime_ns == known.modified_ns or sha256_of(path) == known.sha256

    def add(self, name: str, path: Path, *, is_alone: bool = False) -> None:
        """Puts a file into the list as it is now at `path`; alone, it is not deleted with the folder's results."""
        status = path.stat()
        self._list.files[name] = _File(status.st_size, status.st_mtime_ns, sha256_of(path), is_alone)

    def forget(self, name: str) -> None:
        """Takes a file out of the list."""
        self._list.files.pop(name, None)

    def save(self) -> None:
        """Writes the list, in one step."""
        with atomic_write(self._folder / LIST) as temporary:
            temporary.write_bytes(msgspec.json.encode(self._list))


def files_below(folder: Path) -> list[str]:
    """Paths of all files in a folder and the folders in it, with "/"; links are files."""
    found = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in [*files, *links]]
    return sorted(found)


def main(path: Path) -> None:
    """Puts a file into the list of its folder."""
    owned = OwnedFiles(path.parent)
    owned.add(path.name, path)
    owned.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
