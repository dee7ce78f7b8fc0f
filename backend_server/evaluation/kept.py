"""Keeps on disk what takes long to make, trained networks and learnt faces, for the next run.

A file is named by what its content depends on: weights, settings and data, each by its value. The text of the program
is no part of the name, so a reformatting makes nothing anew; who changes how networks or faces are learnt removes the
folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from backend_server.data.corpus import INDEX, Corpus

DIGITS = 16


class Kept:
    """The kept files of one folder.

    Args:
        folder: made when the first file is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, kind: str, depends_on: Iterable[object], make: Callable[[Path], object]) -> Path:
        """The file of these dependencies, made first where it is not there yet.

        Args:
            kind: begins the file's name.
            depends_on: all that the content depends on, as `digest` takes it.
            make: writes the file under the path that it is given, whole or not at all.
        """
        path = self.folder / f"{kind}-{digest(depends_on)}.safetensors"
        if not path.exists():
            make(path)
        return path


def digest(values: Iterable[object]) -> str:
    """Sixteen hexadecimal digits that change with the values.

    Paths count by the content of the file, arrays by shape and numbers, anything else by its `repr`.
    """
    whole = hashlib.sha256()
    for value in values:
        whole.update(hashlib.sha256(_content(value)).digest())
    return whole.hexdigest()[:DIGITS]


def training_data(corpus: Corpus) -> str:
    """Digits that stand for what is trained on: the index of a corpus and the landmarks of its training clips.

    Sound and pictures of a clip come from the same video as its landmarks and change with them.
    """
    landmarks = [clip.folder / "landmarks.npz" for clip in corpus.clips("train")]
    return digest([corpus.path / INDEX, *landmarks])


def _content(value: object) -> bytes:
    if isinstance(value, Path):
        return value.read_bytes()
    if isinstance(value, np.ndarray):
        return repr((value.shape, value.dtype.str)).encode() + np.ascontiguousarray(value).tobytes()
    return repr(value).encode()
