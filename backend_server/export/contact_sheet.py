"""Draws a whole animation on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backend_server.export.images import png_text
from shared.landmarks import SEGMENTS

PICTURE_COUNT = 12
DRAWN_PEAKS = 4000
INK = "#1d3557"
ACCENT = "#e63946"


def sheet_frames(opening: NDArray[np.float32], count: int = PICTURE_COUNT) -> NDArray[np.int64]:
    """Chooses frames to show: of each of `count` equal stretches the most open or the most closed, in turn.

    Args:
        opening: mouth opening per frame, (T,).
        count: how many stretches; fewer when there are fewer frames.

    Returns:
        Frame indices, rising, (min(count, T),).
    """
    stretches = np.array_split(np.arange(len(opening)), min(count, len(opening)))
    extremes = (np.argmax, np.argmin)
    return np.array([part[extremes[i % 2](opening[part])] for i, part in enumerate(stretches)])


def write_contact_sheet(
    path: Path,
    frame_times: NDArray[np.float64],
    opening: NDArray[np.float32],
    peaks: NDArray[np.float32],
    peaks_per_second: float,
    shown: NDArray[np.int64],
    pictures: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.float32],
    tags: dict[str, str],
) -> None:
    """Draws chosen frames above the curves of mouth opening and sound.

    Args:
        path: a PNG file.
        frame_times: (T,) seconds.
        opening: mouth opening over inter-ocular distance, (T,).
        peaks: loudest samples of equal stretches of the sound, (P,), 0 to 1.
        peaks_per_second: their rate.
        shown: indices of the frames in the sheet.
        pictures: one (H, W, 3) for each index, or empty to draw only landmarks.
        landmarks: (T, 68, 2) pixels of the crop.
        tags: text written into the file's metadata.
    """
    figure = Figure(figsize=(16, 8.2), layout="constrained")
    FigureCanvasAgg(figure)
    columns = (len(shown) + 1) // 2
    grid = figure.add_gridspec(3, columns, height_ratios=(1, 1, 0.75))
    for place, frame in enumerate(shown):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        if len(pictures):
            axes.imshow(pictures[place])
        else:
            draw_landmarks(axes, landmarks[frame])
        axes.set_title(f"{frame_times[frame]:.2f} s", fontsize=9)
        axes.set_axis_off()
    _draw_curves(figure.add_subplot(grid[2, :]), frame_times, opening, peaks, peaks_per_second, shown)
    figure.savefig(path, dpi=100, pil_kwargs={"pnginfo": png_text(tags)})


def draw_landmarks(axes: Axes, landmarks: NDArray[np.float32]) -> None:
    """Draws one face (68, 2) as lines on the 256 x 256 crop."""
    for segment in SEGMENTS:
        points = [*segment.points, *segment.points[:1]] if segment.is_closed else list(segment.points)
        axes.plot(landmarks[points, 0], landmarks[points, 1], color=INK, linewidth=1.2)
    axes.set_xlim(0, 255)
    axes.set_ylim(255, 0)
    axes.set_aspect("equal")


def _draw_curves(
    axes: Axes,
    frame_times: NDArray[np.float64],
    opening: NDArray[np.float32],
    peaks: NDArray[np.float32],
    peaks_per_second: float,
    shown: NDArray[np.int64],
) -> None:
    end = len(peaks) / peaks_per_second
    stretches = np.array_split(peaks, min(len(peaks), DRAWN_PEAKS))
    drawn = np.array([stretch.max() for stretch in stretches])
    seconds = (np.arange(len(drawn)) + 0.5) * end / len(drawn)
    sound_axes = axes.twinx()
    sound_axes.fill_between(seconds, -drawn, drawn, color="#a8dadc", linewidth=0)
    sound_axes.set_ylim(-1.05, 1.05)
    sound_axes.set_yticks([])
    axes.set_zorder(sound_axes.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(frame_times, opening, color=ACCENT, linewidth=1.6)
    axes.plot(frame_times[shown], opening[shown], "o", color=INK, markersize=4)
    axes.set_xlim(0.0, end)
    axes.set_xlabel("seconds")
    axes.set_ylabel("mouth opening / inter-ocular distance")
