"""Reads the user's pictures: files, and folders of them.

A file that is named must be read. What a folder holds beside pictures, or too many of them, is left out and named;
hidden files are no one's pictures.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray

from backend_server.face.images import read_image
from backend_server.identities.learning import FaceSource
from backend_server.identities.placed_landmarks import read_placed_landmarks
from backend_server.speech.suffixes import SOUND_SUFFIXES
from shared.errors import ImageError
from shared.notes import Note, NoteCode
from shared.protocol import MAX_IMAGE_COUNT

PICTURE_SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif", ".avif", ".webp", ".tif", ".tiff"),
    *(".bmp", ".gif", ".jp2", ".ppm", ".pgm", ".tga"),
}
_OF_THE_SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini"}  # Windows puts them into folders of pictures
_NAMED_NOTES = 10  # of a folder's files that are no pictures; further ones are counted

Image = NDArray[np.uint8]


def portrait_path() -> Path:
    """The file of scikit-image's astronaut: Eileen Collins, NASA, public domain, 512 x 512."""
    return Path(skimage.data.__file__).with_name("astronaut.png")


def checked_paths(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files and folders that the user named, as they are.

    Raises:
        ImageError: one does not exist, is a sound, or is a folder without pictures.
    """
    for path in paths:
        if path.is_dir():
            picture_files(path)
        elif path.suffix.lower() in SOUND_SUFFIXES:
            raise ImageError(
                f"{path} is a sound or film, not a picture; give the speech before --images "
                "(for build.py run, after --speech)"
            )
        elif not path.exists():
            raise ImageError(f"there is no picture {path}; check the name")
    return tuple(paths)


def read_source(paths: Sequence[Path], landmarks: Path | None) -> FaceSource:
    """Reads pictures and the landmarks placed on them.

    Args:
        paths: files, and folders that stand for the pictures in them.
        landmarks: the JSON file; None if all are detected. It may lie among the pictures.

    Raises:
        SpeechFaceError: the first that cannot be used; of a folder, if it holds no picture that can.
    """
    checked_paths(paths)
    named = sum(not path.is_dir() for path in paths)
    if named > MAX_IMAGE_COUNT:
        raise ImageError(f"{named} images were given; give 1 to {MAX_IMAGE_COUNT} pictures of one person")
    images: list[Image] = []
    names: list[str] = []
    notes: list[Note] = []
    left = MAX_IMAGE_COUNT - named  # for the folders
    for path in paths:
        if not path.is_dir():
            images.append(read_image(path))
            names.append(shown_name(path))
            continue
        read, found = _read_folder(path, left, landmarks)
        left -= len(read)
        images += [image for _, image in read]
        names += [name for name, _ in read]
        notes += found
    return FaceSource(
        images, read_placed_landmarks(landmarks, names, images) if landmarks else None, names, tuple(notes)
    )


def _read_folder(folder: Path, most: int, landmarks: Path | None) -> tuple[list[tuple[str, Image]], list[Note]]:
    """The first pictures of a folder by their names, at most so many, and notes of what was left out."""
    notes, others = [], [path for path in _visible(folder) if path.suffix.lower() not in PICTURE_SUFFIXES]
    if landmarks is not None:
        others = [path for path in others if path.resolve() != landmarks.resolve()]
    for path in others[:_NAMED_NOTES]:
        kind = f"a file of the kind {path.suffix}" if path.suffix else "a file without an ending"
        notes.append(_left_out(path, f"it was left out, as {kind} is not read as a picture"))
    if len(others) > _NAMED_NOTES:
        notes.append(_left_out(folder, f"{len(others) - _NAMED_NOTES} more files are no pictures and were left out"))
    images: list[tuple[str, Image]] = []
    reason = None
    candidates = picture_files(folder)
    for number, path in enumerate(candidates):
        if len(images) == most:
            rest = ", ".join(map(shown_name, candidates[number:]))
            sentence = f"{MAX_IMAGE_COUNT} pictures are the most for one face, so these were left out: {rest:.1500}"
            notes.append(_left_out(folder, sentence))
            break
        try:
            images.append((shown_name(path), read_image(path)))
        except ImageError as error:
            reason = reason or error
            notes.append(_left_out(path, f"it was left out, as it {error.sentence.removeprefix(f'{path} ')}"))
    if reason is not None and not images:
        raise ImageError(f"no picture in the folder {folder} can be read; the first: {reason.sentence}") from reason
    return images, notes


def _visible(folder: Path) -> list[Path]:
    """The files in a folder, by their names, without hidden ones and those that systems put there."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ImageError(f"the folder {folder} cannot be read ({error.strerror})") from error
    files = [path for path in entries if not path.name.startswith(".") and not path.is_dir()]
    return [path for path in files if path.name.lower() not in _OF_THE_SYSTEM]


def picture_files(folder: Path) -> list[Path]:
    """The files in a folder whose names are those of pictures, by their names.

    Raises:
        ImageError: it holds none, or cannot be read.
    """
    found = [path for path in _visible(folder) if path.suffix.lower() in PICTURE_SUFFIXES]
    if not found:
        raise ImageError(f"the folder {folder} holds no pictures (.png, .jpg, .heic, .avif, .tif, .webp, .bmp)")
    return found


def _left_out(path: Path, sentence: str) -> Note:
    return Note(NoteCode.SKIPPED_FILE, sentence, shown_name(path))


def shown_name(path: Path) -> str:
    """The name of a file; one that is not UTF-8 keeps only what can be written."""
    return os.fsencode(path.name or str(path)).decode("utf-8", "replace")
