"""Lays pictures and outlines of faces on sheets, and finds the moments of a clip that are worth a place there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from backend_server.data.corpus import Clip
from backend_server.evaluation.page.charts import figure
from backend_server.export.contact_sheet import INK
from backend_server.face.rest_pose import distance_from_rest
from backend_server.metrics.landmarks import eye_aspect_ratio, mouth_opening, mouth_width
from backend_server.metrics.luminance import luminance
from shared.landmarks import INNER_LIPS, SEGMENTS

LARGEST_BYTES = 290_000
LIPS = ("outer_lips", "inner_lips")
_DOTS_PER_INCH = 90
_MARGIN, _LINE = 6, 20  # pixels
_FONT_SIZE = 13
_OPEN_SHARE = 0.5  # of the widest opening: less shows no row of teeth
_BRIGHTEST = 90  # percentile of the inner mouth's pixels that stands for its teeth

Points = NDArray[np.float32]


def telling_frames(clip: Clip, given: NDArray[np.integer]) -> dict[str, int]:
    """Frames of a clip in which a fault would show, none of them given, by what they are."""
    numbers = np.setdiff1d(np.arange(clip.frame_count), given)
    landmarks = clip.landmarks().landmarks[numbers]
    opening = mouth_opening(landmarks)
    is_open = opening >= _OPEN_SHARE * opening.max()
    teeth = [_teeth(clip.face(int(numbers[i])), landmarks[i]) if is_open[i] else -1.0 for i in range(len(numbers))]
    rest = [distance_from_rest(face) for face in landmarks]
    chosen = {
        "mouth widest": np.argmax(opening),
        "teeth": np.argmax(teeth),
        "lips narrowest": np.argmin(mouth_width(landmarks)),
        "eyes shut": np.argmin(eye_aspect_ratio(landmarks)),
        "at rest": np.argmin(rest),
    }
    return {name: int(numbers[place]) for name, place in chosen.items()}


def write_sheet(
    path: Path, columns: Sequence[str], rows: Sequence[tuple[str, NDArray[np.uint8]]], cell_pixels: int = 192
) -> None:
    """Rows of pictures as a JPEG that stays small.

    Args:
        path: of the JPEG.
        columns: written above each column.
        rows: a name, written above the row, and its pictures (n, H, W, 3).
        cell_pixels: side of a picture on the sheet.
    """
    cell = (cell_pixels, cell_pixels)
    small = [
        (name, [cv2.resize(picture, cell, interpolation=cv2.INTER_AREA) for picture in pictures])
        for name, pictures in rows
    ]
    write_strips(path, small, columns)


def write_strips(
    path: Path,
    strips: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]],
    columns: Sequence[str] = (),
    largest_bytes: int = LARGEST_BYTES,
) -> None:
    """Strips of pictures, each as large as it is, as a JPEG of limited size.

    Args:
        path: of the JPEG.
        strips: a caption, written above the strip, and its pictures (H, W, 3), alike in size.
        columns: written above the pictures of the first strip.
        largest_bytes: the JPEG is saved more coarsely until it has no more; the coarsest has what it has.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    top = _LINE if columns else 0
    heights = [_LINE + _MARGIN + max((len(picture) for picture in pictures), default=0) for _, pictures in strips]
    width = max(sum(picture.shape[1] + _MARGIN for picture in pictures) for _, pictures in strips)
    sheet = Image.new("RGB", (width + _MARGIN, sum(heights) + top + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for place, name in enumerate(columns):
        step = strips[0][1][0].shape[1] + _MARGIN
        draw.text((_MARGIN + place * step, _MARGIN // 2), name, fill="#5b6b7c", font=font)
    for (caption, pictures), height in zip(strips, heights, strict=True):
        draw.text((_MARGIN, top + 1), caption, fill=INK, font=font)
        left = _MARGIN
        for picture in pictures:
            sheet.paste(Image.fromarray(picture), (left, top + _LINE))
            left += picture.shape[1] + _MARGIN
        top += height
    for quality in (90, 80, 70, 55, 40):
        sheet.save(path, quality=quality)
        if path.stat().st_size <= largest_bytes:
            break


@dataclass(frozen=True)
class Outline:
    """Lines of one face: landmarks (68, 2), the names of the drawn segments, their colours by name, and the width."""

    landmarks: Points
    segments: Sequence[str] = tuple(segment.name for segment in SEGMENTS)
    colour: str = INK
    lip_colour: str | None = None
    width: float = 1.1


@dataclass(frozen=True)
class Drawing:
    """Outlines over one another.

    Attributes:
        outlines: the last one lies on top.
        window: x of the left and the right edge, y of the lower and the upper one.
        title: above it.
    """

    outlines: Sequence[Outline]
    window: tuple[float, float, float, float]
    title: str = ""


def write_drawings(path: Path, rows: Sequence[tuple[str, Sequence[Drawing]]], cell_inches: tuple[float, float]) -> None:
    """Rows of drawings as a PNG file; the name of a row stands beside its first drawing."""
    columns = max(len(drawings) for _, drawings in rows)
    sheet = figure(cell_inches[0] * columns, cell_inches[1] * len(rows) + 0.2)
    for row, (name, drawings) in enumerate(rows):
        for column, drawing in enumerate(drawings):
            axes = sheet.add_subplot(len(rows), columns, row * columns + column + 1)
            for outline in drawing.outlines:
                for segment in SEGMENTS:
                    if segment.name in outline.segments:
                        order = [*segment.points, *segment.points[: int(segment.is_closed)]]
                        colour = (segment.name in LIPS and outline.lip_colour) or outline.colour
                        axes.plot(*outline.landmarks[order].T, color=colour, linewidth=outline.width)
            axes.set_xlim(*drawing.window[:2])
            axes.set_ylim(*drawing.window[2:])
            axes.set_aspect("equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            axes.set_title(drawing.title, fontsize=9)
            if column == 0:
                axes.set_ylabel(name, fontsize=9)
    sheet.savefig(path, dpi=_DOTS_PER_INCH)


def _teeth(picture: NDArray[np.uint8], landmarks: Points) -> float:
    """How bright the brightest of the open mouth is, grey levels; -1 for a mouth without an inside."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [landmarks[INNER_LIPS].round().astype(np.int32)], (1,))
    inside = luminance(picture[None])[0][mask > 0]
    return float(np.percentile(inside, _BRIGHTEST)) if inside.size else -1.0
