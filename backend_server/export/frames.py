"""Writes the frames of one animation to its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.export.exr import write_exr
from backend_server.export.formats import FrameFormat
from backend_server.export.images import frame_path, over_background, write_png
from backend_server.export.video import Film
from backend_server.export.writers import Writers


@dataclass(frozen=True)
class FrameSettings:
    """How frames are written.

    Attributes:
        kind: the format that the user asked for.
        frame_rate: frames per second.
        background: RGB under the face where a film has no alpha.
        tags: metadata of every file.
    """

    kind: FrameFormat
    frame_rate: Fraction
    background: tuple[int, int, int]
    tags: dict[str, str]


@contextmanager
def frame_files(
    folder: Path, settings: FrameSettings, sound: Callable[[], Iterator[NDArray[np.float32]]], sample_rate: int
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Opens the files and yields a function that writes the next frame (H, W, 3 or 4); the block's end completes them.

    `frames/frame_0001.png` and so on, or `film.mov`; and `preview.mp4`, except beside `film.mp4`.

    Args:
        folder: where the files are made.
        settings: format, frame rate, background and tags.
        sound: starts the sound again for each film: blocks (S, channels), [-1, 1], of one channel or two.
        sample_rate: of the sound, Hz.
    """
    kind, frame_rate, tags = settings.kind, settings.frame_rate, settings.tags
    with ExitStack() as stack:

        def film(name: str) -> Film:
            return stack.enter_context(Film(folder / name, frame_rate, sound(), sample_rate, tags))

        if kind.is_film:
            takers = [film(f"film.{kind}").add]
        else:
            takers = [_numbered(folder, settings, stack.enter_context(Writers()))]
        if kind is not FrameFormat.MP4:
            takers.append(film("preview.mp4").add)

        def take(picture: NDArray[np.uint8]) -> None:
            for taker in takers[:-1]:
                taker(picture)
            takers[-1](over_background(picture, settings.background))

        yield take


def _numbered(folder: Path, settings: FrameSettings, writers: Writers) -> Callable[[NDArray[np.uint8]], None]:
    frames = folder / "frames"
    frames.mkdir()
    count = 0

    def write(picture: NDArray[np.uint8]) -> None:
        nonlocal count
        count += 1
        path = frame_path(frames, count, settings.kind)
        if settings.kind is FrameFormat.EXR:
            writers(write_exr, path, picture, settings.frame_rate, settings.tags)
        else:
            writers(write_png, path, picture, settings.tags)

    return write
