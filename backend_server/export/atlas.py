"""Writes frames side by side on large pictures, from which engines play them as a flipbook."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from backend_server.export.images import write_png
from shared.errors import ValueRangeError

FORMAT = "speech_face.atlas/1"
LONGEST_SIDE = 4096  # pixels of a page that every graphics processor of the last ten years takes


@dataclass(frozen=True)
class Grid:
    """How many frames stand beside and below each other on a page."""

    columns: int
    rows: int

    def __str__(self) -> str:
        return f"{self.columns}x{self.rows}"


def read_grid(text: str) -> Grid | None:
    """The grid that "8x4" means; None for "auto".

    Raises:
        ValueRangeError: it means neither.
    """
    if text == "auto":
        return None
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text)
    if found is None:
        raise ValueRangeError(f'an atlas of "{text}" is unknown; write columns and rows as 8x4, or auto')
    return Grid(int(found[1]), int(found[2]))


def fitting_grid(frame_count: int, height: int, width: int, grid: Grid | None) -> Grid:
    """The grid asked for, or for None the one nearest to a square that holds all frames, or as many as a page takes.

    Args:
        frame_count: at least 1.
        height: of a frame, pixels.
        width: of a frame, pixels.
        grid: what was asked for.

    Raises:
        ValueRangeError: a page would be larger than `LONGEST_SIDE`.
    """
    most = Grid(LONGEST_SIDE // width, LONGEST_SIDE // height)
    if min(most.columns, most.rows) == 0:
        raise ValueRangeError(
            f"frames of {width} x {height} pixels are too large for an atlas, whose pages have {LONGEST_SIDE} pixels "
            "a side at most; leave atlas out, or give a smaller picture"
        )
    if grid is None:
        columns = min(most.columns, math.ceil(math.sqrt(frame_count * height / width)))
        rows = min(most.rows, math.ceil(frame_count / columns))
        return Grid(columns, rows)
    if grid.columns > most.columns or grid.rows > most.rows:
        raise ValueRangeError(
            f"an atlas of {grid} frames of {width} x {height} pixels needs pages of {grid.columns * width} x "
            f"{grid.rows * height} pixels, and {LONGEST_SIDE} a side are the most; write {most} or less, or auto"
        )
    return grid


class Atlas:
    """Pages `atlas_1.png` and so on, all of one size, and `atlas.json`; used in a `with` block.

    Frames fill a page row by row from its top left; places that are left over are transparent, or black without alpha.
    `atlas.json` has the layout that TexturePacker and Phaser call a multi-atlas, with the frame rate and more beside.

    Args:
        folder: where the files are made.
        frame_count: how many frames will be added.
        frame_rate: frames per second.
        grid: frames on a page; None for `fitting_grid`'s choice.
        tags: metadata of every file.
    """

    def __init__(
        self, folder: Path, frame_count: int, frame_rate: Fraction, grid: Grid | None, tags: dict[str, str]
    ) -> None:
        self._folder, self._count, self._rate = folder, frame_count, frame_rate
        self._wanted, self._tags = grid, tags
        self._textures: list[dict] = []
        self._number = 0

    def __enter__(self) -> Atlas:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._number:
            self._write_page()
            self._write_metadata()

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Places the next frame, (H, W, 3), or (H, W, 4) with straight alpha; all have the size of the first."""
        height, width, channels = frame.shape
        if self._number == 0:
            self._grid = fitting_grid(self._count, height, width, self._wanted)
            self._size = (height, width)
            self._page = np.zeros((self._grid.rows * height, self._grid.columns * width, channels), np.uint8)
        place = self._number % (self._grid.columns * self._grid.rows)
        if place == 0 and self._number:
            self._write_page()
        if place == 0:
            self._frames: list[dict] = []
        row, column = divmod(place, self._grid.columns)
        y, x = row * height, column * width
        self._page[y : y + height, x : x + width] = frame
        self._number += 1
        self._frames.append(
            {
                "filename": f"frame_{self._number:04d}",
                "frame": {"x": x, "y": y, "w": width, "h": height},
                "rotated": False,
                "trimmed": False,
                "sourceSize": {"w": width, "h": height},
                "spriteSourceSize": {"x": 0, "y": 0, "w": width, "h": height},
            }
        )

    def _write_page(self) -> None:
        height, width, channels = self._page.shape
        name = f"atlas_{len(self._textures) + 1}.png"
        write_png(self._folder / name, self._page, self._tags)
        self._page[:] = 0
        self._textures.append(
            {
                "image": name,
                "format": "RGBA8888" if channels == 4 else "RGB888",
                "size": {"w": width, "h": height},
                "scale": 1,
                "frames": self._frames,
            }
        )

    def _write_metadata(self) -> None:
        height, width = self._size
        document = {
            "format": FORMAT,
            "metadata": self._tags,
            "frame_rate": [self._rate.numerator, self._rate.denominator],
            "frame_count": self._number,
            "frame_size": {"w": width, "h": height},
            "columns": self._grid.columns,
            "rows": self._grid.rows,
            "alpha": "straight" if self._page.shape[-1] == 4 else "none",
            "colour_space": "sRGB",
            "textures": self._textures,
        }
        (self._folder / "atlas.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
