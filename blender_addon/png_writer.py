"""Writes rendered faces to disk, marked as made by a program.

A small PNG writer: 8 bits, RGB with straight alpha, sRGB; several times faster than `Image.save`. The mark is in the
metadata of each file.
"""

from __future__ import annotations

import errno
import re
import secrets
import shutil
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ._shared import errors

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {3: 2, 4: 6}  # channels -> PNG colour type
_FILTER_UP = 2
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{16}\.partial")  # our names alone
_SWEPT_SECONDS = 7 * 24 * 3600.0  # what got no picture for so long was left by a Blender that was killed
_SYNTHETIC = (
    ("Software", "Speech Face"),
    ("Source", "synthetic: generated from speech and reference images"),
    ("DigitalSourceType", "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"),
)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """One PNG file from pixels u8 (H, W, 3 or 4), top row first.

    Raises:
        ShapeError: the array is not an image of three or four 8-bit channels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES or 0 in pixels.shape:
        raise errors.ShapeError(f"expected a u8 picture (H, W, 3 or 4), got {pixels.dtype} {pixels.shape}")
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    lines = np.empty((height, 1 + rows.shape[1]), np.uint8)
    lines[:, 0] = _FILTER_UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    texts = b"".join(_chunk(b"tEXt", f"{key}\0{text}".encode("latin-1")) for key, text in _SYNTHETIC)
    body = _chunk(b"IDAT", zlib.compress(lines.tobytes(), 1))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"sRGB", b"\0") + texts + body + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class FrameFolder:
    """A picture sequence being written: hidden until it is complete, deleted when it is discarded.

    The pictures go to a folder `.<name>.<random>.partial` in `parent`, which no other Blender uses; `publish` renames
    that to the first free of `<name>_001`, `<name>_002`, ... so an earlier sequence, and the undo step that shows it,
    stay intact. Such folders that were left a week ago are deleted.

    Args:
        parent: folder of all sequences; made when missing.
        name: the sequence's name; characters that a file system may refuse become "_".

    Raises:
        NoSpaceError: the disk is full.
        SpeechFaceError: the folder cannot be written.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self._parent = parent
        self._name = "".join(c if c.isalnum() or c in "-_ " else "_" for c in name).strip() or "face"
        self._partial = parent / f".{self._name}.{secrets.token_hex(8)}.partial"
        self._count = 0
        try:
            self._partial.mkdir(parents=True)  # open to whom the user's other folders are, unlike `mkdtemp`
            _sweep(parent)
        except OSError as error:
            raise _write_failure(self._partial, error) from error

    @property
    def count(self) -> int:
        """Pictures written so far."""
        return self._count

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Appends pictures u8 (n, H, W, 3 or 4) as frame_0001.png and so on."""
        for frame in frames:
            path = self._partial / frame_name(self._count)
            try:
                path.write_bytes(encode_png(frame))
            except OSError as error:
                raise _write_failure(path, error) from error
            self._count += 1

    def publish(self) -> Path:
        """Gives the finished sequence its name and returns its folder.

        frame_0000.png, a copy of the first picture, is what Blender shows at frames before the sequence begins.
        """
        try:
            shutil.copyfile(self._partial / frame_name(0), self._partial / frame_name(-1))
        except OSError as error:
            raise _write_failure(self._partial, error) from error
        number = 1
        while True:
            folder = self._parent / f"{self._name}_{number:03d}"
            try:
                if not folder.exists():
                    return self._partial.rename(folder)
            except OSError as error:
                if not folder.exists():  # else another Blender took the name just now
                    raise _write_failure(folder, error) from error
            number += 1

    def discard(self) -> None:
        """Deletes what was written and not published."""
        shutil.rmtree(self._partial, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def frame_name(index: int) -> str:
    """File name of a sequence's picture; the first, index 0, is frame_0001.png."""
    return f"frame_{index + 1:04d}.png"


def _sweep(parent: Path) -> None:
    """Deletes what Blenders that were killed left unpublished, if it is a week old."""
    limit = time.time() - _SWEPT_SECONDS
    with suppress(OSError):  # another Blender sweeps too, or the folder cannot be listed
        for entry in parent.iterdir():
            if _PARTIAL.fullmatch(entry.name) and entry.lstat().st_mtime < limit:  # of the last picture
                shutil.rmtree(entry, ignore_errors=True)  # deletes no link


def _write_failure(path: Path, error: OSError) -> errors.SpeechFaceError:
    if error.errno == errno.ENOSPC:
        return errors.NoSpaceError(f"the disk is full: {path} could not be written; free some space")
    return errors.SpeechFaceError(
        f"cannot write {path} ({error.strerror}); choose another data folder in the add-on's preferences"
    )
