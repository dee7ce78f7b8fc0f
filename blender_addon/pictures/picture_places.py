# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Knows where the pictures of a .blend lie: beside it, and before it is saved in the user's data folder.

The first save moves them beside the file. Folders that are missed when a file is opened are looked for in both places.
Nothing lies where removing or updating the extension deletes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..preferences import settings as backend_settings
from . import picture_folder, texture_plane

BESIDE = "speech_face"  # folder beside the .blend
_UNSAVED_SECONDS = 24 * 3600.0  # a folder of an unsaved file that is younger may be another Blender's


@dataclass(frozen=True)
class Unused:
    """A folder of pictures that nothing in this file shows.

    Attributes:
        folder: where it lies.
        size: bytes on disk.
    """

    folder: Path
    size: int


def place(context: bpy.types.Context) -> Path:
    """The folder in which new picture folders are made."""
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / BESIDE
    return _unsaved(context)


def unused(context: bpy.types.Context) -> list[Unused]:
    """The folders that were made for this file and are shown by no plane, and those of files never saved."""
    shown = {sequence.folder.resolve() for _, sequence in _shown()}
    found = []
    for folder in _folders(place(context), _unsaved(context)):
        owner = picture_folder.owner_of(folder)
        if owner is None or folder.resolve() in shown:
            continue
        is_ours = bool(owner) and owner == bpy.data.filepath
        is_left = not owner and time.time() - folder.stat().st_mtime > _UNSAVED_SECONDS
        if is_ours or is_left:
            found.append(Unused(folder, _size(folder)))
    return found


def remove(item: Unused) -> bool:
    """Deletes a folder of pictures; False where the system refuses."""
    shutil.rmtree(item.folder, ignore_errors=True)
    return not item.folder.exists()


def _unsaved(context: bpy.types.Context) -> Path:
    return backend_settings(context).data_folder / "pictures"


def _folders(*places: Path) -> Iterator[Path]:
    for parent in dict.fromkeys(places):
        if parent.is_dir():
            yield from (entry for entry in sorted(parent.iterdir()) if entry.is_dir() and not entry.is_symlink())


def _size(folder: Path) -> int:
    """Bytes of a folder; of a picture that other folders hold too, only this one's share."""
    stats = [entry.stat() for entry in folder.iterdir()]
    return round(sum(stat.st_size / max(stat.st_nlink, 1) for stat in stats))


def _shown() -> Iterator[tuple[bpy.types.Object, picture_folder.Sequence]]:
    for candidate in bpy.data.objects:
        if (sequence := texture_plane.sequence_of(candidate)) is not None:
            yield candidate, sequence


_left_by_failure: set[Path] = set()  # where a save that failed has moved pictures
_moved_for: dict[str, Path] = {}  # relative path of a picture -> its folder, until the save has succeeded


@persistent
def _save_pre(path: str, *_: object) -> None:
    """Moves the pictures of a file that was not saved before to where it will lie."""
    _save_failed()  # an earlier save that failed before Blender told
    if bpy.data.filepath or not path:
        return
    beside, unsaved = Path(path).parent / BESIDE, _unsaved(bpy.context).resolve()
    for plane, sequence in list(_shown()):
        is_unsaved = sequence.folder.resolve().parent == unsaved or sequence.folder in _left_by_failure
        if not is_unsaved or not sequence.folder.is_dir():
            continue
        try:
            moved = _moved(sequence.folder, beside)
            picture_folder.mark(moved, path)
        except OSError:
            continue  # they stay where they are, and the file shows them there
        texture_plane.move(plane, moved, relative_to=Path(path).parent)
        _moved_for[texture_plane.image_node(plane).image.filepath] = moved
    if not bpy.app.background:
        bpy.app.timers.register(_save_failed, first_interval=0.0)


@persistent
def _save_failed(*_: object) -> None:
    """Shows the pictures by their full path again where the save failed for which they were moved."""
    if not bpy.data.filepath:
        for plane in bpy.data.objects:
            node = texture_plane.image_node(plane) if texture_plane.is_plane(plane) else None
            if node is not None and node.image is not None and node.image.filepath in _moved_for:
                folder = _moved_for[node.image.filepath]
                texture_plane.move(plane, folder)
                _left_by_failure.add(folder)
    _moved_for.clear()


@persistent
def _load_post(*_: object) -> None:
    """Finds pictures that are not where the file says."""
    for plane, sequence in list(_shown()):
        if sequence.folder.is_dir():
            continue
        for parent in (place(bpy.context), _unsaved(bpy.context)):
            if (found := parent / sequence.folder.name).is_dir() and picture_folder.owner_of(found) is not None:
                texture_plane.move(plane, found, relative_to=_blend_folder())
                break


def _blend_folder() -> Path | None:
    return Path(bpy.data.filepath).parent if bpy.data.filepath else None


def _moved(folder: Path, parent: Path) -> Path:
    """The folder, moved to another parent under the first free name like its own."""
    if folder.parent.resolve() == parent.resolve():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    stem, number = folder.name.rpartition("_")[0] or folder.name, 1
    while (target := parent / f"{stem}_{number:03d}").exists():
        number += 1
    shutil.move(folder, target)
    return target


_HANDLERS = {"save_pre": _save_pre, "save_post_fail": _save_failed, "load_post": _load_post}


def register() -> None:
    """Follows saving and loading."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Stops that."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
