"""Finds the parts of an Ogg file that holds several sounds one after the other (chained Ogg, RFC 3533)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

CAPTURE = b"OggS"
HEADER_BYTES = 27  # before the table of segments
FIRST_PAGE = 0x02  # of a stream
SEARCH_BYTES = 2**16  # read at once where pages are damaged


def ogg_parts(path: Path) -> list[tuple[int, int]]:
    """First byte and end of each part, in bytes; of any other file, and of Ogg in one part, the whole.

    A part begins where a stream's first page follows a page that is none.
    """
    starts, end = [0], path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(CAPTURE)) != CAPTURE:
            return [(0, end)]
        place, is_beginning = 0, True
        while (page := _next_page(file, place)) is not None:
            place, length, is_first = page
            if is_first and not is_beginning:
                starts.append(place)
            is_beginning = is_first
            place += length
    return list(zip(starts, [*starts[1:], end], strict=True))


def _next_page(file: BinaryIO, place: int) -> tuple[int, int, bool] | None:
    """Where the next page begins, its length in bytes, and whether it is the first of a stream."""
    file.seek(place)
    header = file.read(HEADER_BYTES)
    while not header.startswith(CAPTURE):
        place += 1
        file.seek(place)
        found = (searched := file.read(SEARCH_BYTES)).find(CAPTURE)
        if not searched:
            return None
        place += found if found >= 0 else max(len(searched) - len(CAPTURE), 0)
        file.seek(place)
        header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    return place, HEADER_BYTES + header[26] + sum(file.read(header[26])), bool(header[5] & FIRST_PAGE)


class FilePart(io.RawIOBase):
    """Some bytes of a file, as a file of their own.

    Args:
        path: of the file.
        start: its first byte.
        end: the byte behind its last.
    """

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._file = path.open("rb")
        self._start, self._end = start, end
        self._file.seek(start)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """From the part's beginning."""
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Within the part."""
        origin = {io.SEEK_SET: self._start, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._end}[whence]
        self._file.seek(max(origin + offset, self._start))
        return self.tell()

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """As a raw file's."""
        data = self._file.read(max(min(len(buffer), self._end - self._file.tell()), 0))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Closes the file too."""
        self._file.close()
        super().close()
