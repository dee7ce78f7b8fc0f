"""Draws a page about a learnt face: its pictures, how it moves, and how the learning went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from backend_server.export.contact_sheet import ACCENT, INK, draw_landmarks
from backend_server.identity import Identity, IdentityRecord

WIDTH_INCHES = 14.0
MOST_PREVIEWS = 8
_PHOTOS_PER_ROW = 10
_LARGEST_PHOTO_INCHES = 2.6
_FACE_INCHES = 3.4
_PREVIEW_INCHES = 1.9
_TITLE_INCHES = 0.5


@dataclass(frozen=True)
class LearntSheet:
    """The pictures of the page.

    Attributes:
        title: of the page.
        identity: the face.
        expressions: rendered faces (H, W, 3) by what they show.
        previews: the face after each epoch, (H, W, 3); empty when the face was found.
    """

    title: str
    identity: Identity
    expressions: dict[str, NDArray[np.uint8]]
    previews: Sequence[NDArray[np.uint8]]


def write_learnt_sheet(path: Path, sheet: LearntSheet, tags: dict[str, str]) -> None:
    """Draws the page.

    Args:
        path: a PNG file.
        sheet: its pictures.
        tags: text inside the file.
    """
    faces, given = sheet.identity.references, sheet.identity.record.image_count
    count = len(faces.crops)
    rows = -(-count // _PHOTOS_PER_ROW)
    columns = -(-count // rows)
    photo = min(_LARGEST_PHOTO_INCHES, WIDTH_INCHES / columns)
    heights = [rows * (photo + 0.25) + _TITLE_INCHES, _FACE_INCHES + 0.9]
    shown = preview_epochs(len(sheet.previews))
    if len(shown):
        heights.append(_PREVIEW_INCHES + 0.8)
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + 0.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(sheet.title, fontsize=14, color=INK)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    pictures = (
        "the picture" if given == 1 else f"the {given} pictures" if count == given else f"{count} of {given} pictures"
    )
    parts[0].suptitle(f"{pictures} with landmarks", fontsize=11)
    for axes, crop, landmarks in zip(_row(parts[0], rows, columns), faces.crops, faces.landmarks, strict=False):
        _draw_photo(axes, crop, landmarks)
    _draw_result(parts[1], sheet)
    if len(shown):
        parts[2].suptitle("while it was learnt", fontsize=11)
        for axes, epoch in zip(_row(parts[2], 1, len(shown)), shown, strict=True):
            axes.imshow(sheet.previews[epoch])
            axes.set_title(f"epoch {epoch + 1}", fontsize=9)
    figure.savefig(path, dpi=100, format="png", metadata=tags)


def preview_epochs(count: int, most: int = MOST_PREVIEWS) -> NDArray[np.int64]:
    """Indices of the epochs to show: evenly spread, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def kept_epoch(record: IdentityRecord) -> int | None:
    """Number of the epoch, from 1, whose state was kept; None when none was better than before, or unknown."""
    if record.held_out_psnr is None or record.held_out_psnr not in record.held_out_psnrs:
        return None
    return record.held_out_psnrs.index(record.held_out_psnr) + 1


def _row(figure: SubFigure, rows: int, columns: int) -> list[Axes]:
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    return list(grid.ravel())


def _draw_photo(axes: Axes, crop: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
    axes.imshow(crop)
    draw_landmarks(axes, landmarks)
    for line in axes.lines:
        line.set(color="white", linewidth=0.9, alpha=0.9)
    axes.plot(landmarks[:, 0], landmarks[:, 1], ".", color=ACCENT, markersize=2.2)


def _draw_result(figure: SubFigure, sheet: LearntSheet) -> None:
    count = len(sheet.expressions)
    grid = figure.add_gridspec(1, count + 1, width_ratios=[1.0] * count + [1.25])
    for place, (name, picture) in enumerate(sheet.expressions.items()):
        axes = figure.add_subplot(grid[0, place])
        axes.imshow(picture)
        axes.set_title(name, fontsize=11)
        axes.set_axis_off()
    _draw_curves(figure.add_subplot(grid[0, count]), sheet.identity.record)


def _draw_curves(axes: Axes, record: IdentityRecord) -> None:
    epochs = np.arange(1, len(record.losses) + 1)
    axes.set_title("how it was learnt", fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss", color=INK)
    if len(epochs) == 0:
        axes.text(0.5, 0.5, "0 epochs: the trained weights,\nunchanged", ha="center", va="center")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    axes.plot(epochs, record.losses, "o-", color=INK, linewidth=1.6, markersize=4)
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6")
    if not record.held_out_psnrs:
        return
    quality = axes.twinx()
    quality.plot(epochs, record.held_out_psnrs, "s-", color=ACCENT, linewidth=1.6, markersize=4)
    quality.set_ylabel("held-out PSNR (dB)", color=ACCENT)
    quality.spines["top"].set_visible(False)
    kept = kept_epoch(record)
    if kept is not None:
        quality.axvline(kept, color=ACCENT, linewidth=1, linestyle=":")
        quality.plot([kept], [record.held_out_psnrs[kept - 1]], "o", mfc="none", color=ACCENT, markersize=11)
