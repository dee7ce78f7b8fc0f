"""Collects the pictures of a character in a folder: those of every strip, each at its scene frame.

A folder is never changed once it has its name. A new bake makes a new one, into which it links the pictures of the
other strips, so an earlier folder, and the undo step that shows it, stay intact; *Clean Up* deletes them.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._shared import errors
from .png_writer import encode_png

_PARTIAL = re.compile(r"\..+\.[0-9a-f]{16}\.partial")  # our names alone
_SWEPT_SECONDS = 7 * 24 * 3600.0  # what got no picture for so long was left by a Blender that was killed
_MARK = "speech_face.json"  # in every folder that is complete
_STEP = 64  # links between two steps


@dataclass(frozen=True)
class Sequence:
    """A folder of pictures.

    Scene frame f is frame_NNNN.png with the number f - `frames.start` + 1.

    Attributes:
        folder: holds the pictures.
        strips: token of each strip -> the scene frames that it covers, the oldest bake first.
    """

    folder: Path
    strips: dict[str, range]

    @property
    def frames(self) -> range:
        """From the first to the last scene frame of all strips."""
        return range(min(r.start for r in self.strips.values()), max(r.stop for r in self.strips.values()))

    def path(self, frame: int) -> Path:
        """The picture of a scene frame."""
        return self.folder / frame_name(frame - self.frames.start)

    def strip_at(self, frame: int) -> str:
        """The strip whose picture a scene frame shows, of several the newest; empty between strips."""
        return next((token for token, frames in reversed(self.strips.items()) if frame in frames), "")

    def shown(self) -> str:
        """The strips as a line of JSON, for the .blend."""
        return json.dumps({token: [frames.start, frames.stop] for token, frames in self.strips.items()})

    @classmethod
    def of(cls, folder: Path, shown: str) -> Self | None:
        """The sequence that a .blend remembers; None if what it remembers cannot be read."""
        try:
            strips = {token: range(*frames) for token, frames in json.loads(shown).items()}
        except (ValueError, TypeError, AttributeError):
            return None
        return cls(folder, strips) if strips and all(strips.values()) else None


class PictureFolder:
    """Pictures of a strip that are being written: hidden until they are complete, deleted when they are discarded.

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
        self._strips: dict[str, range] = {}
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

    def picture(self, index: int) -> Path:
        """A picture that was written and is not arranged yet."""
        return self._partial / frame_name(index)

    def arrange(
        self,
        strip: str,
        frames: range,
        earlier: Sequence | None,
        *,
        is_held: bool = False,
        order: list[int] | None = None,
    ) -> Iterator[None]:
        """Gives each picture the number of its scene frame, and links those of other strips beside them, in steps.

        frame_0000.png, a copy of the first picture, is what Blender shows at frames before the sequence begins.

        Args:
            strip: token of the strip that the new pictures are of.
            frames: its scene frames.
            earlier: what the character showed before.
            is_held: whether the last picture of a strip is shown until the next begins, instead of none.
            order: which of the written pictures each frame shows; as they were written if left out.

        Raises:
            NoSpaceError: the disk is full.
            SpeechFaceError: a picture cannot be written.
        """
        others = {token: r for token, r in earlier.strips.items() if token != strip} if earlier else {}
        made = Sequence(self._partial, {**others, strip: frames})
        order = list(range(self._count)) if order is None else order
        try:
            yield from self._place_new(made, frames, order)
            yield from self._place_others(made, frames, earlier, is_held)
        except OSError as error:
            raise _write_failure(self._partial, error) from error
        self._strips = made.strips

    def arrange_again(self, frames: list[int], earlier: Sequence) -> Iterator[None]:
        """Gives each picture the number of its scene frame, and links all other frames' earlier pictures, in steps.

        Args:
            frames: the scene frame of each picture that was written.
            earlier: what the character showed before; its strips stay.

        Raises:
            NoSpaceError: the disk is full.
            SpeechFaceError: a picture cannot be written.
        """
        made = Sequence(self._partial, earlier.strips)
        try:
            yield from self._place_at(made, frames, list(range(self._count)))
            for number, frame in enumerate(made.frames):
                if not (path := made.path(frame)).exists():
                    _link(earlier.path(frame), path)
                if number % _STEP == 0:
                    yield
            shutil.copyfile(made.path(made.frames.start), self._partial / frame_name(-1))
        except OSError as error:
            raise _write_failure(self._partial, error) from error
        self._strips = made.strips

    def arrange_moved(
        self, strip: str, frames: range, sources: list[Path], earlier: Sequence, *, is_held: bool = False
    ) -> Iterator[None]:
        """Shows earlier pictures of a strip on other scene frames, and all other strips as they were, in steps.

        Args:
            strip: its token.
            frames: where it lies now.
            sources: the picture of each of these frames.
            earlier: what the character showed before.
            is_held: as for `arrange`.

        Raises:
            NoSpaceError: the disk is full.
            SpeechFaceError: a picture cannot be written.
        """
        others = {token: r for token, r in earlier.strips.items() if token != strip}
        made = Sequence(self._partial, {**others, strip: frames})
        try:
            for number, (frame, source) in enumerate(zip(frames, sources, strict=True)):
                _link(source, made.path(frame))
                if number % _STEP == 0:
                    yield
            rest = Sequence(earlier.folder, earlier.strips)
            yield from self._place_others(made, frames, rest, is_held, gone=(strip,))
        except OSError as error:
            raise _write_failure(self._partial, error) from error
        self._strips = made.strips

    def arrange_without(self, gone: list[str], earlier: Sequence, *, is_held: bool = False) -> Iterator[None]:
        """Shows what is left without some strips, in steps; at least one must be left."""
        made = Sequence(self._partial, {t: r for t, r in earlier.strips.items() if t not in gone})
        try:
            yield from self._place_others(made, range(0), earlier, is_held, gone=tuple(gone))
        except OSError as error:
            raise _write_failure(self._partial, error) from error
        self._strips = made.strips

    def _place_new(self, made: Sequence, frames: range, order: list[int]) -> Iterator[None]:
        if made.frames.start == frames.start and order == list(range(self._count)):
            return  # they have their names
        yield from self._place_at(made, frames, order)

    def _place_at(self, made: Sequence, frames: Iterable[int], order: list[int]) -> Iterator[None]:
        written = self._partial / "written"
        written.mkdir()
        for index in range(self._count):
            self.picture(index).rename(written / frame_name(index))
            if index % _STEP == 0:
                yield
        for number, (frame, index) in enumerate(zip(frames, order, strict=True)):
            _link(written / frame_name(index), made.path(frame))
            if number % _STEP == 0:
                yield
        for index in range(self._count):
            (written / frame_name(index)).unlink()
            if index % _STEP == 0:
                yield
        written.rmdir()

    def _place_others(
        self, made: Sequence, frames: range, earlier: Sequence | None, is_held: bool, gone: tuple[str, ...] = ()
    ) -> Iterator[None]:
        gap: Path | None = None  # what is shown until the next strip
        for number, frame in enumerate(made.frames):
            if number % _STEP == 0:
                yield
            path = made.path(frame)
            if frame in frames:
                gap = path if is_held else None
            elif earlier is not None and _still_shows(earlier, made, frame, gone):
                _link(earlier.path(frame), path)
                gap = path if is_held else None
            elif gap is not None:
                _link(gap, path)
            else:
                path.write_bytes(encode_png(np.zeros((1, 1, 4), np.uint8)))
                gap = path
        shutil.copyfile(made.path(made.frames.start), self._partial / frame_name(-1))

    def publish(self, owner: str = "") -> Sequence:
        """Gives the arranged pictures their name.

        Args:
            owner: path of the .blend that shows them; empty before it is saved.

        Raises:
            NoSpaceError: the disk is full.
            SpeechFaceError: the folder cannot be written.
        """
        try:
            mark(self._partial, owner)
        except OSError as error:
            raise _write_failure(self._partial, error) from error
        number = 1
        while True:
            folder = self._parent / f"{self._name}_{number:03d}"
            try:
                if not folder.exists():
                    return Sequence(self._partial.rename(folder), self._strips)
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


def mark(folder: Path, owner: str) -> None:
    """Writes into a folder of pictures which .blend shows it.

    Raises:
        OSError: it cannot be written.
    """
    (folder / _MARK).write_text(json.dumps({"made_by": "Speech Face", "blend": owner}), "utf-8")


def owner_of(folder: Path) -> str | None:
    """The .blend that a folder of pictures was made for, empty if it was not saved; None for a folder of others."""
    try:
        return str(json.loads((folder / _MARK).read_text("utf-8"))["blend"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
        f"cannot write {path} ({error.strerror}); make that folder writable, or save the .blend in one that is"
    )


def _still_shows(earlier: Sequence, made: Sequence, frame: int, gone: tuple[str, ...]) -> bool:
    """Whether an earlier picture of a frame is of a strip that is still there."""
    is_there = bool(made.strip_at(frame)) and earlier.strip_at(frame) not in gone
    return is_there and frame in earlier.frames and earlier.path(frame).is_file()


def _link(source: Path, target: Path) -> None:
    """The same picture under another name; a copy where the disk knows no links."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        shutil.copyfile(source, target)
